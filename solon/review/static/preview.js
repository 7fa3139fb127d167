// How a text with right-to-left words will be shown, beside the field in which it is edited. A text field cannot set a dose
// range apart from the words around it: it shows 250-500 mg as 500-250 mg.
import { t } from "./texts.js";
export function preview(field, draw) {
  if (field.parentNode.querySelector(".preview")) return;
  const place = document.createElement("div");
  let timer = 0;
  place.className = "text boxed preview";
  place.dir = "auto";
  place.tabIndex = 0;
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", t("The text as it will be shown"));
  field.after(place);
  field.parentNode.classList.add("previewed");
  async function show() {
    const text = field.value;
    try {
      const html = await draw(text);
      if (text !== field.value) return;
      place.innerHTML = html;   // rendered and cleaned by the server
      follow();
    } catch { /* the next key tries again */ }
  }
  const follow = () => { place.scrollTop = field.scrollTop / Math.max(1, field.scrollHeight - field.clientHeight) * (place.scrollHeight - place.clientHeight); };
  const later = () => { clearTimeout(timer); timer = setTimeout(show, 300); };
  for (const sign of ["input", "change"]) field.form.addEventListener(sign, later);
  field.addEventListener("scroll", follow, { passive: true });
  show();
}
