// What a person writes into a form, before it is sent.

/** What is wrong with the name of something new; '' where nothing is. */
export function complaintOfName(name: string): string {
  if (name === '') return '';
  return /^[a-z0-9-]{1,63}$/.test(name) ? '' : 'A name has 1 to 63 of a-z, 0-9 and -.';
}

/** A number as a form has it; null where it is none from 0 on. */
export function wholeNumber(text: string): bigint | null {
  return /^\d{1,18}$/.test(text.trim()) ? BigInt(text.trim()) : text.trim() === '' ? 0n : null;
}
