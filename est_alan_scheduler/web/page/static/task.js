// The page of a task: of a wide graph, the task itself is seen first.

for (const part of document.querySelectorAll(".scroll")) {
  const box = part.querySelector(".current rect")?.getBBox();
  if (box) part.scrollLeft = box.x + box.width / 2 - part.clientWidth / 2;
}
