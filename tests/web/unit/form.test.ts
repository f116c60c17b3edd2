import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaintOfName, wholeNumber } from '../../../cloud/web/src/lib/form';

test('a name and a number are complained of before they are sent', () => {
  assert.equal(complaintOfName(''), '');
  assert.equal(complaintOfName('carts-2'), '');
  assert.notEqual(complaintOfName('Carts'), '');
  assert.notEqual(complaintOfName('a'.repeat(64)), '');
  assert.equal(wholeNumber(''), 0n);
  assert.equal(wholeNumber(' 12 '), 12n);
  assert.equal(wholeNumber('-1'), null);
  assert.equal(wholeNumber('1.5'), null);
});
