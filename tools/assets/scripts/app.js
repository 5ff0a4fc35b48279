// What pages do beyond plain HTML. Every decision works without it.
import "htmx.org";
import { watchForms } from "./forms.js";
import { watchKeys } from "./keys.js";
import { watchTheme } from "./switch.js";

watchTheme();
watchKeys();
watchForms();
