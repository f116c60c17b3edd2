// Stands for what Svelte's compiler makes of runes, where nobody looks: plain values. Import it first.
const plain = <T>(value: T): T => value;
Object.assign(globalThis, {
  $state: Object.assign(plain, { raw: plain }),
  location: new URL('http://server.test/'),
  addEventListener: () => {},
  removeEventListener: () => {},
});
