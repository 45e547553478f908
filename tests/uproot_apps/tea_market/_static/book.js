function show(book) {
  I("book").replaceChildren(
    ...book.map(({ id, price, seller }) => {
      const item = document.createElement("li");
      item.className = "list-group-item";
      item.textContent = `${seller}: ${price} of ${C.CASH}`;
      item.onclick = () => uproot.invoke("take", id).then((cash) => (I("cash").innerText = cash));
      return item;
    }),
  );
}
