declare const brand: unique symbol;

/** A number or string that must not be mixed with others of its kind: `Brand<number, "CssPixel">`. */
export type Brand<Value, Name extends string> = Value & { readonly [brand]: Name };
