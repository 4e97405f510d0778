// Runs the main job of two regions with the typed Node client, unchanged: @alicloud/kms20160120, with either transport.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes, randomUUID } = require('node:crypto');
const test = require('node:test');

const { base64 } = require('./regions.js');
const { inBoth, refused } = require('./typed.js');

// The typed client sends a context as EncryptionContext.NAME=value; the untyped calls below send the same map as JSON.
const PAYMENTS = { app: 'payments', ordre: "n° 7 & 8 = <15>'*", 'a.b': 'dotted' };
const REPORTS = { app: 'reports' };

inBoth(test, 'keys and aliases', async (west) => {
  const alias = `alias/typed-${randomBytes(8).toString('hex')}`;
  const { keyMetadata: key } = await west.call('CreateKey', { description: 'payments', keyUsage: 'ENCRYPT/DECRYPT' });
  assert.equal(key.keyState, 'Enabled');
  assert.equal(key.keySpec, 'Aliyun_AES_256');
  assert.equal(key.arn, `acs:kms:${west.region.id}:${west.region.account}:key/${key.keyId}`);
  const { keyMetadata: other } = await west.call('CreateKey');

  await west.call('CreateAlias', { aliasName: alias, keyId: key.keyId });
  for (const keyId of [alias, key.keyId, key.arn]) {
    const { keyMetadata } = await west.call('DescribeKey', { keyId });
    assert.deepEqual({ ...keyMetadata }, { ...key }, `described by ${keyId}`);
  }
  const list = await west.call('ListKeys', { pageSize: 100 });
  assert.equal(list.keys.key.length, Math.min(list.totalCount, 100));
  assert.ok(list.keys.key.every((k) => k.keyArn.endsWith(`:key/${k.keyId}`)));
  const page = await west.call('ListKeys', { pageNumber: 2, pageSize: 1 });
  assert.deepEqual(page.keys.key.map((k) => k.keyId), [list.keys.key[1].keyId], 'the second page of one');

  await west.call('UpdateAlias', { aliasName: alias, keyId: other.keyId });
  for (const [keyId, names] of [[key.keyId, []], [other.keyId, [alias]]]) {
    const { aliases } = await west.call('ListAliasesByKeyId', { keyId });
    assert.deepEqual(aliases.alias.map((a) => a.aliasName), names);
  }
  const { totalCount } = await west.call('ListAliases', { pageSize: 1 });
  const names = [];
  for (let pageNumber = 1; names.length < totalCount; pageNumber += 1) {
    const { aliases } = await west.call('ListAliases', { pageNumber, pageSize: 100 });
    assert.ok(aliases.alias.length > 0, `page ${pageNumber} is empty after ${names.length} of ${totalCount}`);
    names.push(...aliases.alias.map((a) => a.aliasName));
  }
  assert.ok(names.includes(alias), 'the alias is listed');
  await refused('an alias that exists', west.call('CreateAlias', { aliasName: alias, keyId: key.keyId }), 400, 'AliasAlreadyExists');
  await west.call('DeleteAlias', { aliasName: alias });
  for (let node = 0; node < 3; node += 1) {
    await refused('a deleted alias', west.call('DescribeKey', { keyId: alias }), 404, 'Forbidden.AliasNotFound');
  }
});

inBoth(test, 'data and data keys in two regions', async (west, east) => {
  const alias = `alias/typed-${randomBytes(8).toString('hex')}`;
  const { keyMetadata: key } = await west.call('CreateKey');
  const { keyMetadata: eastKey } = await east.call('CreateKey');
  const { keyMetadata: archive } = await east.call('CreateKey');
  await west.call('CreateAlias', { aliasName: alias, keyId: key.keyId });
  await east.call('CreateAlias', { aliasName: alias, keyId: eastKey.keyId });

  const plaintext = base64('what the application stores');
  const sealed = await west.call('Encrypt', { keyId: alias, plaintext, encryptionContext: PAYMENTS });
  assert.equal(sealed.keyId, key.keyId);
  assert.equal(sealed.keyVersionId, key.primaryKeyVersion);
  for (let node = 0; node < 3; node += 1) {
    const opened = await west.call('Decrypt', { ciphertextBlob: sealed.ciphertextBlob, encryptionContext: PAYMENTS });
    assert.equal(opened.plaintext, plaintext);
  }
  const both = JSON.stringify(PAYMENTS);
  const inQuery = await west.untyped('Decrypt', { CiphertextBlob: sealed.ciphertextBlob, EncryptionContext: both });
  assert.equal(inQuery.Plaintext, plaintext, 'a context of single parameters is the one that JSON text says');
  const inForm = await west.untyped('Decrypt', {}, { CiphertextBlob: sealed.ciphertextBlob, EncryptionContext: both });
  assert.equal(inForm.Plaintext, plaintext, 'parameters in a form');
  const halves = await west.untyped('Decrypt', { EncryptionContext: both }, { CiphertextBlob: sealed.ciphertextBlob });
  assert.equal(halves.Plaintext, plaintext, 'parameters in the query and in a form');
  await refused('a wrong context',
    west.call('Decrypt', { ciphertextBlob: sealed.ciphertextBlob, encryptionContext: REPORTS }), 400, 'InvalidParameter');
  await refused('no context', west.call('Decrypt', { ciphertextBlob: sealed.ciphertextBlob }), 400, 'InvalidParameter');

  for (const [size, fields] of [[16, { keySpec: 'AES_128' }], [32, { keySpec: 'AES_256' }], [32, {}], [64, { numberOfBytes: 64 }]]) {
    const made = await west.call('GenerateDataKey', { keyId: alias, ...fields });
    assert.equal(Buffer.from(made.plaintext, 'base64').length, size);
    const opened = await west.call('Decrypt', { ciphertextBlob: made.ciphertextBlob });
    assert.equal(opened.plaintext, made.plaintext);
  }
  const blind = await west.call('GenerateDataKeyWithoutPlaintext', { keyId: alias, numberOfBytes: 1024, encryptionContext: PAYMENTS });
  assert.equal(blind.plaintext, undefined);
  const dataKey = await west.call('Decrypt', { ciphertextBlob: blind.ciphertextBlob, encryptionContext: PAYMENTS });
  assert.equal(Buffer.from(dataKey.plaintext, 'base64').length, 1024);

  const moved = await east.call('Encrypt', { keyId: alias, plaintext: dataKey.plaintext, encryptionContext: PAYMENTS });
  // The SDK has no type for ReEncrypt.
  const archived = await east.untyped('ReEncrypt', {
    CiphertextBlob: moved.ciphertextBlob, SourceEncryptionContext: PAYMENTS, DestinationKeyId: archive.keyId,
  }, { DestinationEncryptionContext: REPORTS });
  for (let node = 0; node < 3; node += 1) {
    const opened = await east.call('Decrypt', { ciphertextBlob: archived.CiphertextBlob, encryptionContext: REPORTS });
    assert.equal(opened.plaintext, dataKey.plaintext, 'the data key in the other region, under another key and context');
  }
  await refused('a blob of the other region',
    west.call('Decrypt', { ciphertextBlob: archived.CiphertextBlob, encryptionContext: REPORTS }), 400, 'InvalidParameter.WrongRegion', east.region.id);
  for (const region of [west, east]) {
    await region.call('DeleteAlias', { aliasName: alias });
  }
});

inBoth(test, 'states of a key', async (west) => {
  const { keyMetadata: { keyId } } = await west.call('CreateKey');
  const { ciphertextBlob } = await west.call('Encrypt', { keyId, plaintext: base64('x') });
  await west.call('DisableKey', { keyId });
  for (let node = 0; node < 3; node += 1) {
    await refused('Decrypt with a disabled key', west.call('Decrypt', { ciphertextBlob }), 409, 'Rejected.Disabled');
  }
  await west.call('EnableKey', { keyId });
  for (let node = 0; node < 3; node += 1) {
    await west.call('Decrypt', { ciphertextBlob });
  }
  await west.call('ScheduleKeyDeletion', { keyId, pendingWindowInDays: 7 });
  for (let node = 0; node < 3; node += 1) {
    await refused('Decrypt with a key that is to be deleted', west.call('Decrypt', { ciphertextBlob }), 409, 'Rejected.PendingDeletion');
  }
  const { keyMetadata } = await west.call('DescribeKey', { keyId });
  assert.equal(keyMetadata.keyState, 'PendingDeletion');
  assert.ok(Date.parse(keyMetadata.deleteDate) > Date.now());
  await west.call('CancelKeyDeletion', { keyId });
  for (let node = 0; node < 3; node += 1) {
    await west.call('Decrypt', { ciphertextBlob });
  }
  await west.call('ScheduleKeyDeletion', { keyId, pendingWindowInDays: 366 });
});

inBoth(test, 'mistakes of a caller', async (west, east) => {
  const { keyMetadata: { keyId } } = await west.call('CreateKey');
  const plaintext = base64('x');
  const describe = (caller, id) => caller.call('DescribeKey', { keyId: id });
  await refused('a wrong secret', describe(west.as({ secret: 'not the secret' }), keyId), 400, 'SignatureDoesNotMatch',
    'server string to sign is:POST&%2F&AccessKeyId%3D');
  await refused('an unknown access key', describe(west.as({ id: 'nobody' }), keyId), 404, 'InvalidAccessKeyId.NotFound');
  await refused('an unknown key', describe(west, randomUUID()), 404, 'Forbidden.KeyNotFound');
  await refused('a key of the other region',
    describe(west, `acs:kms:${east.region.id}:${east.region.account}:key/${keyId}`), 400, 'InvalidParameter.WrongRegion', east.region.id);
  await refused('a missing parameter', west.call('Encrypt', { keyId }), 400, 'MissingParameter', 'Plaintext');
  await refused('an action that is not served', west.call('DescribeService'), 404, 'InvalidAction.NotFound');
  const full = randomBytes(4096);
  const { ciphertextBlob } = await west.call('Encrypt', { keyId, plaintext: base64(full) });
  assert.equal((await west.call('Decrypt', { ciphertextBlob })).plaintext, base64(full));
  await refused('4,097 bytes', west.call('Encrypt', { keyId, plaintext: base64(Buffer.alloc(4097)) }), 400, 'InvalidParameter');
  await refused('two contexts at once', west.untyped('Encrypt',
    { KeyId: keyId, Plaintext: plaintext, EncryptionContext: '{"a":"b"}', 'EncryptionContext.a': 'b' }), 400, 'InvalidParameter');
});
