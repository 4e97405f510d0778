// Imported material and exported data keys with the Node client. The typed part has none of ExportDataKey,
// GenerateAndExportDataKey and ReEncrypt, and no DryRun; these are sent by name.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const test = require('node:test');

const { base64 } = require('./regions.js');
const { inBoth, refused } = require('./typed.js');

const { constants } = crypto;
const PAYMENTS = { app: 'payments' };

const WRAPPINGS = {
  RSAES_OAEP_SHA_256: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  RSAES_OAEP_SHA_1: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
  RSAES_PKCS1_V1_5: { padding: constants.RSA_PKCS1_PADDING },
};

// Gets a public key and its token, and gives the material under it.
async function give(west, keyId, wrappingAlgorithm, material, keyMaterialExpireUnix = 0) {
  const { publicKey, importToken } = await west.call('GetParametersForImport', { keyId, wrappingAlgorithm, wrappingKeySpec: 'RSA_2048' });
  const key = crypto.createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
  const encryptedKeyMaterial = base64(crypto.publicEncrypt({ key, ...WRAPPINGS[wrappingAlgorithm] }, material));
  return west.call('ImportKeyMaterial', { keyId, importToken, encryptedKeyMaterial, keyMaterialExpireUnix });
}

inBoth(test, 'import', async (west) => {
  for (const wrapping of Object.keys(WRAPPINGS)) {
    const { keyMetadata: { keyId, keyState } } = await west.call('CreateKey', { origin: 'EXTERNAL' });
    assert.equal(keyState, 'PendingImport');
    const material = crypto.randomBytes(32);
    const expires = Math.floor(Date.now() / 1000) + 3600;
    await give(west, keyId, wrapping, material, expires);
    const { keyMetadata } = await west.call('DescribeKey', { keyId });
    assert.equal(keyMetadata.keyState, 'Enabled');
    assert.equal(Date.parse(keyMetadata.materialExpireTime), expires * 1000);
    const { ciphertextBlob } = await west.call('Encrypt', { keyId, plaintext: base64('text') });
    await west.call('DeleteKeyMaterial', { keyId });
    for (let node = 0; node < 3; node += 1) {
      await refused('Decrypt without material', west.call('Decrypt', { ciphertextBlob }), 409, 'Rejected.PendingImport');
    }
    await refused('other material', give(west, keyId, wrapping, crypto.randomBytes(32)), 400, 'InvalidKeyMaterial');
    await give(west, keyId, wrapping, material);
    for (let node = 0; node < 3; node += 1) {
      assert.equal((await west.call('Decrypt', { ciphertextBlob })).plaintext, base64('text'));
    }
  }
});

inBoth(test, 'export and move', async (west, east) => {
  const { keyMetadata: { keyId } } = await west.call('CreateKey');
  const { keyMetadata: { keyId: to } } = await east.call('CreateKey');
  const { keyMetadata: transport } = await east.call('CreateKey', { keySpec: 'RSA_2048', keyUsage: 'ENCRYPT/DECRYPT' });
  const { keyVersions } = await east.call('ListKeyVersions', { keyId: transport.keyId });
  const named = { keyId: transport.keyId, keyVersionId: keyVersions.keyVersion[0].keyVersionId };
  const { publicKey } = await east.call('GetPublicKey', named);
  const der = (key) => base64(key.export({ format: 'der', type: 'spki' }));
  const outside = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  for (const WrappingAlgorithm of ['RSAES_OAEP_SHA_256', 'RSAES_OAEP_SHA_1']) {
    const wrapping = { WrappingAlgorithm, WrappingKeySpec: 'RSA_2048', EncryptionContext: PAYMENTS };
    const made = await west.untyped('GenerateAndExportDataKey', { KeyId: keyId, ...wrapping, PublicKeyBlob: der(outside.publicKey) });
    const dataKey = crypto.privateDecrypt({ key: outside.privateKey, ...WRAPPINGS[WrappingAlgorithm] }, Buffer.from(made.ExportedDataKey, 'base64'));
    const opened = await west.call('Decrypt', { ciphertextBlob: made.CiphertextBlob, encryptionContext: PAYMENTS });
    assert.equal(opened.plaintext, base64(dataKey), 'the export is the data key');

    const exported = await west.untyped('ExportDataKey', wrapping,
      { CiphertextBlob: made.CiphertextBlob, PublicKeyBlob: der(crypto.createPublicKey(publicKey)) });
    const moved = await east.untyped('ReEncrypt', {
      CiphertextBlob: exported.ExportedDataKey, SourceKeyId: named.keyId, SourceKeyVersionId: named.keyVersionId,
      SourceEncryptionAlgorithm: WrappingAlgorithm, DestinationKeyId: to, DestinationEncryptionContext: PAYMENTS,
    });
    for (let node = 0; node < 3; node += 1) {
      const there = await east.call('Decrypt', { ciphertextBlob: moved.CiphertextBlob, encryptionContext: PAYMENTS });
      assert.equal(there.plaintext, base64(dataKey), 'the data key in the other region');
    }
  }
  for (const [action, query] of [
    ['Encrypt', { KeyId: keyId, Plaintext: base64('text') }],
    ['GenerateAndExportDataKey', { KeyId: keyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048', PublicKeyBlob: der(outside.publicKey) }],
    ['GenerateDataKey', { KeyId: keyId }],
  ]) {
    await refused(`${action} as a trial`, west.untyped(action, { ...query, DryRun: 'true' }), 412, 'DryRunOperationError');
  }
  await refused('GetPublicKey as a trial',
    east.untyped('GetPublicKey', { KeyId: named.keyId, KeyVersionId: named.keyVersionId, DryRun: true }), 412, 'DryRunOperationError');
});
