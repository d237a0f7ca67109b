/** Where `fetch-lavapipe.mjs` puts the driver: in the user's cache, outside the repository. */
export function lavapipeFolder(): string;
