// The navigation may be wider than a phone: it begins where the page stands on which one is.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
