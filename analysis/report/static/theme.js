"use strict";
// Before the first paint: the page takes the theme that the system asks for, and scripts may be relied on from here on.
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
