"""Participants send a photo, see it again, and describe it; and they may send a text file, which is read."""

from promptgrimoire import *

DESCRIPTION = "Participants send a photo, see it again and describe it; a text file is read and counted."

PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")  # how PNG, JPEG and WebP begin


class Send(Page):
    title = "Your neighbourhood"
    fields = dict(
        photo=FileField(
            label="A photo of what you see from your window",
            accept=("image/png", "image/jpeg", "image/webp"),
            max_size=4_000_000,
            description="PNG, JPEG or WebP, 4 MB at most.",
        ),
        story=FileField(
            label="Have you written about it? You may send the text.",
            accept=(".txt", ".md"),
            max_size=100_000,
            optional=True,
        ),
    )

    async def validate(page, player, data):
        # What the browser says about a file proves nothing: its first bytes are looked at.
        content = await data["photo"].read()
        if not content.startswith(PICTURES):
            return {"photo": "This is no picture that we can read."}

    async def after_once(page, player):
        player.words = 0
        if player.story:
            player.words = len((await player.story.read()).decode(errors="replace").split())


class Describe(Page):
    title = "Your photo"
    fields = dict(caption=TextAreaField(label="What do we see here?", max_length=500))

    async def templatevars(page, player):
        return dict(photo=data_uri(await player.photo.read()))


class Thanks(Page):
    pass


page_order = [Send, Describe, Thanks]
