// What every module draws with: Preact, its hooks and the html tag, from the
// vendored files. html escapes every value that is put into it.
import { h, render } from "./vendor/preact.module.js";
import htm from "./vendor/htm.module.js";

export { render };
export {
  useEffect, useErrorBoundary, useLayoutEffect, useRef, useState,
} from "./vendor/preact-hooks.module.js";

export const html = htm.bind(h);
