// Versions, rotation, tags, policies, protection and the account with the Node client. What the typed part has no type or
// field for is sent by name: SetDeletionProtection, GetKeyPolicy, SetKeyPolicy, TagResources, UntagResources,
// ListTagResources, DescribeAccountKmsStatus, OpenKmsService, and Tags and Policy of CreateKey.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const test = require('node:test');

const { base64 } = require('./regions.js');
const { inBoth, refused } = require('./typed.js');

inBoth(test, 'versions and rotation', async (west) => {
  const { keyMetadata: { keyId, primaryKeyVersion } } = await west.call('CreateKey', { enableAutomaticRotation: true, rotationInterval: '30d' });
  const ids = [primaryKeyVersion];
  const blobs = [];
  for (let node = 0; node < 3; node += 1) {
    blobs.push((await west.call('Encrypt', { keyId, plaintext: base64('text') })).ciphertextBlob);
    const { keyVersion } = await west.call('CreateKeyVersion', { keyId });
    ids.unshift(keyVersion.keyVersionId);
    for (let other = 0; other < 3; other += 1) {
      const described = await west.call('DescribeKeyVersion', { keyId, keyVersionId: keyVersion.keyVersionId });
      assert.deepEqual({ ...described.keyVersion }, { ...keyVersion });
      const { keyMetadata } = await west.call('DescribeKey', { keyId });
      assert.equal(keyMetadata.primaryKeyVersion, keyVersion.keyVersionId);
    }
  }
  const list = await west.call('ListKeyVersions', { keyId, pageSize: 100 });
  assert.deepEqual(list.keyVersions.keyVersion.map((v) => v.keyVersionId), ids, 'the versions, newest first');
  for (const ciphertextBlob of blobs) {
    assert.equal((await west.call('Decrypt', { ciphertextBlob })).plaintext, base64('text'));
  }
  for (const days of [7, 365, 730]) {
    await west.call('UpdateRotationPolicy', { keyId, enableAutomaticRotation: true, rotationInterval: `${days}d` });
    const { keyMetadata } = await west.call('DescribeKey', { keyId });
    assert.equal(keyMetadata.automaticRotation, 'Enabled');
    assert.equal(keyMetadata.rotationInterval, `${days * 86400}s`);
    assert.equal(Date.parse(keyMetadata.nextRotationDate) - Date.parse(keyMetadata.lastRotationDate), days * 86400 * 1000);
  }
  await refused('an interval of 731 days',
    west.call('UpdateRotationPolicy', { keyId, enableAutomaticRotation: true, rotationInterval: '731d' }), 400, 'InvalidParameter', 'RotationInterval');
  await west.call('UpdateRotationPolicy', { keyId, enableAutomaticRotation: false });
  assert.equal((await west.call('DescribeKey', { keyId })).keyMetadata.automaticRotation, 'Disabled');
});

inBoth(test, 'description and protection', async (west) => {
  const { keyMetadata: { keyId, arn } } = await west.call('CreateKey');
  for (const description of ['first', "second & <third>'*", '']) {
    await west.call('UpdateKeyDescription', { keyId, description });
    assert.equal((await west.call('DescribeKey', { keyId })).keyMetadata.description, description);
  }
  for (const named of [{ KeyId: keyId }, { ProtectedResourceArn: arn }, { KeyId: keyId, ProtectedResourceArn: arn }]) {
    await west.untyped('SetDeletionProtection', { ...named, EnableDeletionProtection: true });
    await refused('the deletion of a protected key',
      west.call('ScheduleKeyDeletion', { keyId, pendingWindowInDays: 7 }), 409, 'Rejected.DeletionProtection');
    await west.untyped('SetDeletionProtection', { ...named, EnableDeletionProtection: false });
  }
  await west.call('ScheduleKeyDeletion', { keyId, pendingWindowInDays: 7 });
});

async function wantTags(west, keyId, want) {
  for (let node = 0; node < 3; node += 1) {
    const { tags } = await west.call('ListResourceTags', { keyId });
    assert.deepEqual(Object.fromEntries(tags.tag.map((t) => [t.tagKey, t.tagValue])), want);
  }
}

async function wantTagged(west, query, want) {
  for (let node = 0; node < 3; node += 1) {
    const { TagResources } = await west.untyped('ListTagResources', { ResourceType: 'key', ...query });
    const ids = new Set(TagResources.TagResource.map((row) => row.ResourceId));
    assert.deepEqual([...ids].sort(), [...want].sort());
  }
}

inBoth(test, 'tags', async (west) => {
  const mark = randomBytes(8).toString('hex');
  const { KeyMetadata: { KeyId: keyId } } = await west.untyped('CreateKey', { Tags: JSON.stringify([{ TagKey: 'team', TagValue: 'payments' }]) });
  const { keyMetadata: other } = await west.call('CreateKey');
  await west.call('TagResource', { keyId, tags: JSON.stringify([{ TagKey: 'mark', TagValue: mark }, { TagKey: 'Größe', TagValue: '' }]) });
  await wantTags(west, keyId, { team: 'payments', mark, 'Größe': '' });
  await west.call('UntagResource', { keyId, tagKeys: JSON.stringify(['Größe', 'never.there']) });
  await wantTags(west, keyId, { team: 'payments', mark });
  await refused('a reserved tag', west.call('TagResource', { keyId, tags: '[{"TagKey":"aliyun.x","TagValue":""}]' }), 400, 'InvalidParameter', 'Tags');

  await west.untyped('TagResources', { ResourceType: 'key', ResourceId: [keyId, other.arn], Tag: [{ Key: 'mark', Value: mark }, { Key: 'empty', Value: '' }] });
  await wantTags(west, other.keyId, { mark, empty: '' });
  await wantTagged(west, { Tag: [{ Key: 'mark', Value: mark }] }, [keyId, other.keyId]);
  await wantTagged(west, { Tag: [{ Key: 'mark', Value: mark }, { Key: 'team' }] }, [keyId]);
  await wantTagged(west, { ResourceId: [other.keyId] }, [other.keyId]);
  await west.untyped('UntagResources', { ResourceType: 'key', ResourceId: [keyId], TagKey: ['mark'] });
  await wantTagged(west, { Tag: [{ Key: 'mark', Value: mark }] }, [other.keyId]);
  await west.untyped('UntagResources', { ResourceType: 'key', ResourceId: [keyId, other.keyId], All: true });
  await wantTags(west, keyId, {});
  await wantTagged(west, { Tag: [{ Key: 'mark', Value: mark }] }, []);
});

inBoth(test, 'policies', async (west) => {
  const policy = (Sid) => JSON.stringify({
    Version: '1',
    Statement: [{ Sid, Effect: 'Allow', Principal: { RAM: [`acs:ram::${west.region.account}:*`] }, Action: ['kms:*'], Resource: ['*'] }],
  });
  const { KeyMetadata: { KeyId } } = await west.untyped('CreateKey', { Policy: policy('from the start') });
  const wantPolicy = async (want) => {
    for (let node = 0; node < 3; node += 1) {
      assert.deepEqual(JSON.parse((await west.untyped('GetKeyPolicy', { KeyId })).Policy), JSON.parse(want));
    }
  };
  await wantPolicy(policy('from the start'));
  for (const name of ['first', 'second', 'third']) {
    await west.untyped('SetKeyPolicy', { KeyId }, { PolicyName: 'default', Policy: policy(name) });
    await wantPolicy(policy(name));
  }
  await refused('no policy', west.untyped('SetKeyPolicy', { KeyId, Policy: '{}' }), 400, 'MalformedPolicyDocument');
  await refused('another name', west.untyped('GetKeyPolicy', { KeyId, PolicyName: 'another' }), 404, 'Forbidden.ResourceNotFound');
});

inBoth(test, 'account', async (west, east) => {
  for (let node = 0; node < 3; node += 1) {
    const { regions } = await west.call('DescribeRegions');
    assert.deepEqual(regions.region.map((r) => r.regionId), [west.region.id, east.region.id]);
  }
  for (let node = 0; node < 3; node += 1) {
    assert.equal((await west.untyped('DescribeAccountKmsStatus', {})).AccountStatus, 'Enabled');
  }
  for (let node = 0; node < 3; node += 1) {
    await refused('OpenKmsService', west.untyped('OpenKmsService', {}), 400, 'Forbidden.Opened');
  }
  const { randomPassword } = await west.call('GetRandomPassword');
  assert.equal(randomPassword.length, 32);
  assert.match(randomPassword, /[a-z]/);
  assert.match(randomPassword, /[A-Z]/);
  assert.match(randomPassword, /[0-9]/);
  const digits = { excludeLowercase: 'true', excludeUppercase: 'true', excludePunctuation: 'true', excludeCharacters: '13579' };
  assert.match((await west.call('GetRandomPassword', { ...digits, passwordLength: '128' })).randomPassword, /^[02468]{128}$/);
  await refused('7 characters', west.call('GetRandomPassword', { passwordLength: '7' }), 400, 'InvalidParameter', 'PasswordLength');
});
