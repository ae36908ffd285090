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
