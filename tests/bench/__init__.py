"""`make bench`: what the framework costs, next to a bare Starlette/uvicorn server in the same run.

Measures and reports, never judges. Every file measures one thing; `__main__.py` runs them.
"""
