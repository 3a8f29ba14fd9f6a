// What the page does beyond being read: search in the contents, copy buttons, and closing the contents on small screens.
"use strict";

const nav = document.getElementById("nav");
const label = document.querySelector(".search");

if (nav && label) {
  label.hidden = false;
  const input = label.querySelector("input");
  const links = [...nav.querySelectorAll("li a")];
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const link of links) {
      const text = `${link.textContent} ${link.dataset.find ?? ""}`.toLowerCase();
      link.parentElement.hidden = !text.includes(wanted);
    }
    for (const section of nav.querySelectorAll("section")) {
      section.hidden = !section.querySelector("li:not([hidden])");
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (event.key === "/" && !typing) {
      event.preventDefault();
      if (getComputedStyle(nav).display === "none") nav.showPopover?.();
      input.focus();
    }
  });
  nav.addEventListener("click", (event) => {
    if (event.target.closest("a") && nav.matches(":popover-open")) nav.hidePopover();
  });
}

for (const figure of document.querySelectorAll("figure")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard?.writeText(figure.querySelector("code").textContent).then(() => true, () => false);
    button.textContent = done ? "Copied" : "Select and copy";
  });
  figure.querySelector("figcaption").append(button);
}
