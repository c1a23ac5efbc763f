/**
 * Sentence: words with moments among them, as a list of strings and `{at, text}`: the moment in milliseconds, and how it is said.
 * Pure; the page shows each moment with UTC where the pointer rests on it.
 */

/** The sentence as one text. */
export const plain = (sentence) => sentence.map((part) => part.text ?? part).join("");
