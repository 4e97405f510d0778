// Asymmetric keys with the typed Node client; OpenSSL, by Node's own crypto, judges what comes back.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const test = require('node:test');

const { base64 } = require('./regions.js');
const { inBoth, refused } = require('./typed.js');

const { constants } = crypto;
const SIGN = 'SIGN/VERIFY';
const ENCRYPT = 'ENCRYPT/DECRYPT';

// Options with which OpenSSL does what an algorithm says. It has no way to take an SM2 digest that is made already.
const PADDING = {
  RSA_PSS_SHA_256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  RSA_PKCS1_SHA_256: { padding: constants.RSA_PKCS1_PADDING },
  ECDSA_SHA_256: { dsaEncoding: 'der' },
  RSAES_OAEP_SHA_256: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  RSAES_OAEP_SHA_1: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
};

const USES = [
  ['RSA_2048', SIGN, ['RSA_PSS_SHA_256', 'RSA_PKCS1_SHA_256']],
  ['RSA_3072', SIGN, ['RSA_PSS_SHA_256', 'RSA_PKCS1_SHA_256']],
  ['EC_P256', SIGN, ['ECDSA_SHA_256']],
  ['EC_P256K', SIGN, ['ECDSA_SHA_256']],
  ['EC_SM2', SIGN, ['SM2DSA']],
  ['RSA_2048', ENCRYPT, ['RSAES_OAEP_SHA_256', 'RSAES_OAEP_SHA_1']],
  ['RSA_3072', ENCRYPT, ['RSAES_OAEP_SHA_256', 'RSAES_OAEP_SHA_1']],
  ['EC_SM2', ENCRYPT, ['SM2PKE']],
];

inBoth(test, 'asymmetric keys', async (west) => {
  for (const [keySpec, keyUsage, algorithms] of USES) {
    const key = await newKeyPair(west, keySpec, keyUsage);
    for (const algorithm of algorithms) {
      await (keyUsage === SIGN ? signs : encrypts)(west, key, algorithm);
    }
  }
});

// Makes a key and asks each node for its public half.
async function newKeyPair(west, keySpec, keyUsage) {
  const { keyMetadata } = await west.call('CreateKey', { keySpec, keyUsage });
  assert.equal(keyMetadata.keySpec, keySpec);
  assert.equal(keyMetadata.keyUsage, keyUsage);
  const { keyId } = keyMetadata;
  const { keyVersions } = await west.call('ListKeyVersions', { keyId });
  assert.equal(keyVersions.keyVersion.length, 1, 'the versions of a new key');
  const named = { keyId, keyVersionId: keyVersions.keyVersion[0].keyVersionId };
  const answers = [];
  for (let node = 0; node < 3; node += 1) {
    answers.push((await west.call('GetPublicKey', named)).publicKey);
  }
  assert.deepEqual(answers, Array(3).fill(answers[0]), 'one public key on all nodes');
  return { named, publicKey: answers[0] };
}

async function signs(west, { named, publicKey }, algorithm) {
  for (let node = 0; node < 3; node += 1) {
    const message = crypto.randomBytes(100);
    const digest = crypto.createHash('sha256').update(message).digest();
    const signed = await west.call('AsymmetricSign', { ...named, algorithm, digest: base64(digest) });
    if (PADDING[algorithm]) {
      const key = { key: publicKey, ...PADDING[algorithm] };
      assert.ok(crypto.verify('sha256', message, key, Buffer.from(signed.value, 'base64')), `OpenSSL refuses the signature by ${algorithm}`);
    }
    const verify = { ...named, algorithm, digest: base64(digest), value: signed.value };
    assert.equal((await west.call('AsymmetricVerify', verify)).value, true, algorithm);
    digest[0] ^= 1;
    assert.equal((await west.call('AsymmetricVerify', { ...verify, digest: base64(digest) })).value, false, algorithm);
  }
  await refused('a digest of 31 bytes', west.call('AsymmetricSign', { ...named, algorithm, digest: base64(Buffer.alloc(31)) }), 400, 'InvalidParameter');
}

async function encrypts(west, { named, publicKey }, algorithm) {
  const text = Buffer.from('a data key of thirty-two bytes..');
  for (let node = 0; node < 3; node += 1) {
    const { ciphertextBlob } = await west.call('AsymmetricEncrypt', { ...named, algorithm, plaintext: base64(text) });
    const blobs = [ciphertextBlob];
    if (PADDING[algorithm]) {
      blobs.push(base64(crypto.publicEncrypt({ key: publicKey, ...PADDING[algorithm] }, text)));
    }
    for (const blob of blobs) {
      const { plaintext } = await west.call('AsymmetricDecrypt', { ...named, algorithm, ciphertextBlob: blob });
      assert.equal(plaintext, base64(text), algorithm);
    }
  }
  await refused('a ciphertext that is cut', west.call('AsymmetricDecrypt', { ...named, algorithm, ciphertextBlob: base64('cut') }), 400, 'InvalidParameter');
}
