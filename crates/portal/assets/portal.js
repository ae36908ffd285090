// Times are rendered in UTC: show them in the viewer's zone.
function showTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = time.textContent;
    const day = time.dataset.show === "clock" ? undefined : "medium";
    time.textContent = at.toLocaleString(undefined, { dateStyle: day, timeStyle: "short" });
  }
}
showTimes(document);
// A set-up link has its code behind the #, which browsers send nowhere: put it into the form, and out of the address.
const code = document.querySelector("input[name=code]");
if (code && location.hash.length > 1) {
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
// A booking is filled in for the viewer's own clock, as long as nobody has typed anything.
const zone = document.querySelector("select[data-own=zone]");
if (zone) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const date = document.querySelector("[data-own=date]");
  const time = document.querySelector("[data-own=time]");
  const here = [...zone.options].some((option) => option.value === own);
  if (here && zone.value !== own && !document.querySelector("[aria-invalid]")) {
    const next = new Date(Math.ceil((Date.now() + 1) / 3600000) * 3600000);
    const two = (number) => String(number).padStart(2, "0");
    zone.value = own;
    date.value = `${next.getFullYear()}-${two(next.getMonth() + 1)}-${two(next.getDate())}`;
    time.value = `${two(next.getHours())}:${two(next.getMinutes())}`;
  }
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = "Copied";
  });
}
