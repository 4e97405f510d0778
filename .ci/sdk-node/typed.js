// The typed client of the official Node SDK, @alicloud/kms20160120, for the nodes of a region.
'use strict';

const assert = require('node:assert/strict');

const kms = require('@alicloud/kms20160120');
const { Config } = require('@alicloud/rpc-client');

const { twoRegions } = require('./regions.js');

// Node reads this variable when it starts; the typed client has no setting of its own for an authority.
const AUTHORITIES = 'NODE_EXTRA_CA_CERTS';

const VERSION = '2016-01-20';

// A client for one node. Every call of it is a POST with all parameters in the query.
function newClient(region, node, protocol, credentials) {
  if (protocol === 'https') {
    assert.ok(process.env[AUTHORITIES], `start node with ${AUTHORITIES} naming a file with the ca_file of both regions`);
  }
  return new kms.default(new Config({
    protocol,
    endpoint: new URL((protocol === 'https' ? region.endpoints : region.http_endpoints)[node]).host,
    regionId: region.id,
    accessKeyId: credentials.id ?? region.access_key_id,
    accessKeySecret: credentials.secret ?? region.access_key_secret,
    readTimeout: 15000,
    connectTimeout: 15000,
  }));
}

// A caller asks the nodes of a region in turn, so that three calls in a row reach all three.
class Caller {
  constructor(region, protocol, start = 0, credentials = {}) {
    this.region = region;
    this.protocol = protocol;
    this.clients = [0, 1, 2].map((node) => newClient(region, node, protocol, credentials));
    this.next = start;
  }

  // A caller with another access key or secret.
  as(credentials) {
    return new Caller(this.region, this.protocol, this.next, credentials);
  }

  // Sends a typed request: call('Encrypt', {keyId, plaintext}).
  call(action, fields = {}) {
    const method = action[0].toLowerCase() + action.slice(1);
    return this.client()[method](new kms[`${action}Request`](fields));
  }

  // Sends an action that has no type, or fields that its type has not, as users of the SDK do: with the parameters in the
  // query, in a form, or some in each.
  untyped(action, query, form = null) {
    return this.client().doRequest(action, 'HTTPS', 'POST', VERSION, 'AK', query, form, {});
  }

  client() {
    this.next += 1;
    return this.clients[(this.next - 1) % this.clients.length];
  }
}

// Wants an error of the service: the client throws it by the member Code of the answer, with Error after it, and tells
// the status in the message alone.
async function refused(what, call, status, code, text = '') {
  await assert.rejects(call, (error) => {
    assert.equal(error.code, `${code}Error`, `${what}: ${error}`);
    assert.ok(error.message.includes(`code: ${status}, `), `${what}: ${error}, want status ${status}`);
    assert.ok(error.data.RequestId, `${what}: an answer without a RequestId`);
    assert.ok(error.data.Message.includes(text), `${what}: ${error} does not name ${text}`);
    return true;
  }, what);
}

// Runs a test in both protocols, each with a caller for either region.
function inBoth(test, name, run) {
  ['http', 'https'].forEach((protocol, start) => {
    test(`${name}, ${protocol}`, () => {
      const [west, east] = twoRegions();
      return run(new Caller(west, protocol, start), new Caller(east, protocol, start));
    });
  });
}

module.exports = { inBoth, refused };
