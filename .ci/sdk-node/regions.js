// The two regions that the tests run against.
'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');

// The environment variable that holds the path of the ready file of two running regions.
const READY_FILE = 'KMS_READY_FILE';

function twoRegions() {
  const path = process.env[READY_FILE];
  assert.ok(path, `set ${READY_FILE} to the file that meridian dev --regions 2 --nodes 3 --ready-file FILE writes`);
  const { regions } = JSON.parse(readFileSync(path, 'utf8'));
  assert.equal(regions.length, 2, 'two regions');
  for (const region of regions) {
    assert.equal(region.endpoints.length, 3, `three nodes in ${region.id}`);
    assert.equal(region.http_endpoints.length, 3, `three plain listeners in ${region.id}`);
  }
  return regions;
}

function base64(bytes) {
  return Buffer.from(bytes).toString('base64');
}

module.exports = { base64, twoRegions };
