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

// Options with which OpenSSL does what an algorithm says. Node has no way to have it encrypt with SM2.
const OPTIONS = {
  RSA_PSS_SHA_256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  RSA_PKCS1_SHA_256: { padding: constants.RSA_PKCS1_PADDING },
  ECDSA_SHA_256: { dsaEncoding: 'der' },
  SM2DSA: {},
  RSAES_OAEP_SHA_256: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
  RSAES_OAEP_SHA_1: { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
};

// What OpenSSL calls the curves. Of a public key on SM2 Node tells neither type nor curve.
const CURVES = { EC_P256: 'prime256v1', EC_P256K: 'secp256k1' };

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
  const { asymmetricKeyType, asymmetricKeyDetails } = crypto.createPublicKey(answers[0]);
  if (asymmetricKeyType === 'rsa') {
    assert.equal(`RSA_${asymmetricKeyDetails.modulusLength}`, keySpec);
    assert.equal(asymmetricKeyDetails.publicExponent, 65537n);
  } else {
    assert.equal(asymmetricKeyDetails?.namedCurve, CURVES[keySpec]);
  }
  return { named, publicKey: answers[0] };
}

async function signs(west, { named, publicKey }, algorithm) {
  for (let node = 0; node < 3; node += 1) {
    const message = crypto.randomBytes(100);
    const digest = digestOf(algorithm, publicKey, message);
    const signed = await west.call('AsymmetricSign', { ...named, algorithm, digest: base64(digest) });
    const [hash, key] = [algorithm === 'SM2DSA' ? 'sm3' : 'sha256', { key: publicKey, ...OPTIONS[algorithm] }];
    assert.ok(crypto.verify(hash, message, key, Buffer.from(signed.value, 'base64')), `OpenSSL refuses the signature by ${algorithm}`);
    const verify = { ...named, algorithm, digest: base64(digest), value: signed.value };
    assert.equal((await west.call('AsymmetricVerify', verify)).value, true, algorithm);
    for (const value of [base64(crypto.randomBytes(70)), base64(Buffer.alloc(256)), signed.value.slice(4)]) {
      assert.equal((await west.call('AsymmetricVerify', { ...verify, value })).value, false, `${algorithm}, no signature at all`);
    }
    digest[0] ^= 1;
    assert.equal((await west.call('AsymmetricVerify', { ...verify, digest: base64(digest) })).value, false, algorithm);
  }
  await refused('a digest of 31 bytes', west.call('AsymmetricSign', { ...named, algorithm, digest: base64(Buffer.alloc(31)) }), 400, 'InvalidParameter');
}

// What an algorithm signs of a message: for SM2 it begins with what the signer's identity, the curve and the public key
// hash to (GB/T 32918.2). The identity is empty here, which is what OpenSSL assumes; the service never sees it.
function digestOf(algorithm, publicKey, message) {
  if (algorithm !== 'SM2DSA') {
    return crypto.createHash('sha256').update(message).digest();
  }
  const curve = Buffer.from(`FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC
    28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
    BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0`.replace(/\s/g, ''), 'hex');
  const point = crypto.createPublicKey(publicKey).export({ format: 'der', type: 'spki' }).subarray(-64);
  const z = crypto.createHash('sm3').update(Buffer.concat([Buffer.alloc(2), curve, point])).digest();
  return crypto.createHash('sm3').update(z).update(message).digest();
}

async function encrypts(west, { named, publicKey }, algorithm) {
  const text = Buffer.from('a data key of thirty-two bytes..');
  for (let node = 0; node < 3; node += 1) {
    const { ciphertextBlob } = await west.call('AsymmetricEncrypt', { ...named, algorithm, plaintext: base64(text) });
    const blobs = [ciphertextBlob];
    if (OPTIONS[algorithm]) {
      blobs.push(base64(crypto.publicEncrypt({ key: publicKey, ...OPTIONS[algorithm] }, text)));
    }
    for (const blob of blobs) {
      const { plaintext } = await west.call('AsymmetricDecrypt', { ...named, algorithm, ciphertextBlob: blob });
      assert.equal(plaintext, base64(text), algorithm);
    }
  }
  await refused('a ciphertext that is cut', west.call('AsymmetricDecrypt', { ...named, algorithm, ciphertextBlob: base64('cut') }), 400, 'InvalidParameter');
}
