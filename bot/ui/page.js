// When a file is ready: save it, once. When a question has been asked: fold the notice away, bring the question to the top and, unless somebody is still
// typing, move the focus to it, since the button that was pressed may be gone.
() => {
  let latest = "";
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  new MutationObserver(() => {
    const file = document.querySelector(".save:not([data-saved])");
    if (file) {
      file.dataset.saved = "";
      file.click();
    }
    const exchange = document.querySelector("#transcript .exchange:last-of-type");
    const id = exchange ? exchange.id : "";
    if (id === latest) return;
    latest = id;
    if (!exchange) return;
    document.querySelector(".notice").open = false;
    if (!document.activeElement.matches("textarea")) {
      exchange.querySelector(".question").focus({ preventScroll: true });
    }
    exchange.scrollIntoView({ block: "start", behavior: calm.matches ? "auto" : "smooth" });
  }).observe(document.body, { childList: true, subtree: true });
}
