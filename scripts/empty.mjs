// Stands in for Node modules that a browser bundle names but never uses.
export const empty = true;
