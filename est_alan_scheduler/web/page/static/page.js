// The scripts of the page. Each module finds its own parts in the document, and does nothing without them.

import "./times.js";
import "./live.js";
import "./actions.js";
import "./chosen.js";
import "./search.js";
import "./pause.js";
import "./keys.js";
import "./edit.js";
import "./task.js";
import "./timeline.js";
