// Runs the main job of two regions with the official Node client, unchanged:
// @alicloud/pop-core, with either transport and both methods.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes, randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');
const test = require('node:test');

const { RPCClient } = require('@alicloud/pop-core');

const { base64, twoRegions } = require('./regions.js');

const PAYMENTS = JSON.stringify({ app: 'payments', ordre: "n° 7 & 8 = <15>'*" });
const REPORTS = JSON.stringify({ app: 'reports' });

// A client for one node, which checks certificates against the region's own authority.
function newClient(region, node, variant, credentials = {}) {
  const https = variant.scheme === 'https';
  return new RPCClient({
    endpoint: (https ? region.endpoints : region.http_endpoints)[node],
    apiVersion: '2016-01-20',
    accessKeyId: credentials.id ?? region.access_key_id,
    accessKeySecret: credentials.secret ?? region.access_key_secret,
    opts: { method: variant.method, timeout: 15000, ...(https ? { ca: readFileSync(region.ca_file) } : {}) },
  });
}

// Wants an error of the service: the client throws it by the member Code of the answer.
async function refused(what, call, status, code, text = '') {
  await assert.rejects(call, (error) => {
    assert.equal(error.code, code, `${what}: ${error}`);
    assert.equal(error.entry.response.statusCode, status, `${what}: ${error}`);
    assert.ok(error.data.RequestId, `${what}: an answer without a RequestId`);
    assert.ok(error.data.Message.includes(text), `${what}: ${error} does not name ${text}`);
    return true;
  }, what);
}

async function story(variant) {
  const [west, east] = twoRegions();
  const w = [0, 1, 2].map((node) => newClient(west, node, variant));
  const e = [0, 1, 2].map((node) => newClient(east, node, variant));
  const alias = `alias/node-${randomBytes(8).toString('hex')}`;

  const { KeyMetadata: key } = await w[0].request('CreateKey', { Description: `payments of ${west.id}` });
  assert.equal(key.KeyState, 'Enabled');
  assert.equal(key.Arn, `acs:kms:${west.id}:${west.account}:key/${key.KeyId}`);
  const { KeyMetadata: eastKey } = await e[1].request('CreateKey');
  const { KeyMetadata: archive } = await e[2].request('CreateKey', { Description: 'archive' });
  await w[1].request('CreateAlias', { AliasName: alias, KeyId: key.KeyId });
  await e[2].request('CreateAlias', { AliasName: alias, KeyId: eastKey.KeyId });

  const text = base64('what the application stores');
  const encrypted = await w[2].request('Encrypt', { KeyId: alias, Plaintext: text, EncryptionContext: PAYMENTS });
  assert.equal(encrypted.KeyId, key.KeyId);
  assert.equal(encrypted.KeyVersionId, key.PrimaryKeyVersion);
  const blob = encrypted.CiphertextBlob;
  for (const node of w) {
    const opened = await node.request('Decrypt', { CiphertextBlob: blob, EncryptionContext: PAYMENTS });
    assert.equal(opened.Plaintext, text);
  }

  const dataKey = await w[0].request('GenerateDataKey', { KeyId: alias, KeySpec: 'AES_256', EncryptionContext: PAYMENTS });
  assert.equal(Buffer.from(dataKey.Plaintext, 'base64').length, 32);
  const opened = await w[1].request('Decrypt', { CiphertextBlob: dataKey.CiphertextBlob, EncryptionContext: PAYMENTS });
  assert.equal(opened.Plaintext, dataKey.Plaintext);
  const moved = await e[0].request('Encrypt', { KeyId: alias, Plaintext: opened.Plaintext, EncryptionContext: PAYMENTS });
  const inEast = await e[2].request('Decrypt', { CiphertextBlob: moved.CiphertextBlob, EncryptionContext: PAYMENTS });
  assert.equal(inEast.Plaintext, dataKey.Plaintext, 'the data key in the other region');
  const archived = await e[1].request('ReEncrypt', {
    CiphertextBlob: moved.CiphertextBlob, SourceEncryptionContext: PAYMENTS,
    DestinationKeyId: archive.KeyId, DestinationEncryptionContext: REPORTS,
  });
  const fromArchive = await e[0].request('Decrypt', { CiphertextBlob: archived.CiphertextBlob, EncryptionContext: REPORTS });
  assert.equal(fromArchive.Plaintext, dataKey.Plaintext, 'the data key under another key and context');
  const blind = await e[0].request('GenerateDataKeyWithoutPlaintext', { KeyId: alias });
  assert.equal(blind.Plaintext, undefined);

  const described = await w[2].request('DescribeKey', { KeyId: alias });
  assert.equal(described.KeyMetadata.KeyId, key.KeyId);
  const keys = await w[0].request('ListKeys', { PageSize: 100 });
  assert.equal(keys.Keys.Key.length, Math.min(keys.TotalCount, 100));
  const aliases = await w[1].request('ListAliasesByKeyId', { KeyId: key.KeyId });
  assert.deepEqual(aliases.Aliases.Alias.map((a) => a.AliasName), [alias]);
  const regions = await w[1].request('DescribeRegions');
  assert.deepEqual(regions.Regions.Region.map((r) => r.RegionId), [west.id, east.id]);

  await w[0].request('DisableKey', { KeyId: key.KeyId });
  for (const node of w) {
    await refused('Encrypt with a disabled key', node.request('Encrypt', { KeyId: alias, Plaintext: text }), 409, 'Rejected.Disabled');
  }
  await w[2].request('EnableKey', { KeyId: key.KeyId });
  for (const node of w) {
    await node.request('Decrypt', { CiphertextBlob: blob, EncryptionContext: PAYMENTS });
  }

  const encrypt = { KeyId: key.KeyId, Plaintext: text, EncryptionContext: PAYMENTS };
  const stranger = newClient(west, 0, variant, { secret: 'not the secret' });
  await refused('a wrong secret', stranger.request('Encrypt', encrypt), 400, 'SignatureDoesNotMatch',
    `server string to sign is:${variant.method}&%2F&AccessKeyId%3D`);
  const nobody = newClient(west, 0, variant, { id: 'nobody' });
  await refused('an unknown access key', nobody.request('Encrypt', encrypt), 404, 'InvalidAccessKeyId.NotFound');
  await refused('an unknown key', w[1].request('Encrypt', { ...encrypt, KeyId: randomUUID() }), 404, 'Forbidden.KeyNotFound');
  await refused('an unknown action', w[1].request('EncryptAll', encrypt), 404, 'InvalidAction.NotFound');
  await refused('a missing parameter', w[1].request('Encrypt', { KeyId: key.KeyId }), 400, 'MissingParameter', 'Plaintext');
  await refused('a wrong context', w[2].request('Decrypt', { CiphertextBlob: blob, EncryptionContext: REPORTS }), 400, 'InvalidParameter');
  await refused('a blob of the other region',
    w[0].request('Decrypt', { CiphertextBlob: archived.CiphertextBlob, EncryptionContext: REPORTS }), 400, 'InvalidParameter.WrongRegion', east.id);
  const full = randomBytes(4096);
  const sealed = await w[0].request('Encrypt', { ...encrypt, Plaintext: base64(full) });
  const back = await w[1].request('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: PAYMENTS });
  assert.equal(back.Plaintext, base64(full));
  await refused('4,097 bytes', w[0].request('Encrypt', { ...encrypt, Plaintext: base64(Buffer.alloc(4097)) }), 400, 'InvalidParameter');
  const nonce = { SignatureNonce: randomUUID() };
  await w[0].request('DescribeKey', { KeyId: alias, ...nonce });
  await refused('a nonce again', w[0].request('DescribeKey', { KeyId: alias, ...nonce }), 400, 'SignatureNonceUsed');

  await e[0].request('ScheduleKeyDeletion', { KeyId: archive.KeyId, PendingWindowInDays: 7 });
  await refused('Decrypt with a key that is to be deleted',
    e[2].request('Decrypt', { CiphertextBlob: archived.CiphertextBlob, EncryptionContext: REPORTS }), 409, 'Rejected.PendingDeletion');
  await e[1].request('DeleteAlias', { AliasName: alias });
  await refused('a deleted alias', e[2].request('Encrypt', { KeyId: alias, Plaintext: text }), 404, 'Forbidden.AliasNotFound');
}

for (const scheme of ['http', 'https']) {
  for (const method of ['GET', 'POST']) {
    test(`${scheme} ${method}`, () => story({ scheme, method }));
  }
}
