// What the page says, in its language: t("Saved"), or t`${n} left`, whose values a translation names %(1)s, %(2)s. The page
// brings the translations; without any it speaks English.
const texts = JSON.parse(document.querySelector("#texts")?.textContent || "{}");

export function t(words, ...values) {
  const text = words.raw ? words.reduce((sum, part, i) => `${sum}%(${i})s${part}`) : words;
  return (texts[text] || text).replace(/%\((\d)\)s/g, (_, i) => values[i - 1]);
}
