// The official Node SDK, unchanged, as receiver of what `larkdeck sim` pushes.
'use strict';
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const readline = require('node:readline');
const lark = require('@larksuiteoapi/node-sdk');

const CARD = {
  schema: '2.0',
  body: {
    elements: [{
      tag: 'button', name: 'ok', text: { tag: 'plain_text', content: 'Approve' },
      behaviors: [{ type: 'callback', value: { op: 'approve' } }],
    }],
  },
};

async function until(what, seconds, condition) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (condition()) return console.log('ok', what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

async function desk(base, path, body) {
  const answer = await (await fetch(`${base}/_sim/${path}`, { method: 'POST', body: JSON.stringify(body) })).json();
  if (answer.error) throw new Error(answer.error);
  return answer.ok;
}

async function serve(doors) {
  const server = http.createServer((request, response) => doors[request.url](request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

async function run(access) {
  const base = access.base_url;
  const messages = [];
  const renamed = [];
  const pressed = [];
  const pressedOfOld = [];
  const keys = {
    encryptKey: access.encrypt_key, verificationToken: access.verification_token, loggerLevel: lark.LoggerLevel.fatal,
  };
  const events = new lark.EventDispatcher(keys).register({
    'im.message.receive_v1': async (data) => { messages.push(data.message); },
    'im.chat.updated_v1': async (data) => { renamed.push(data); },
    'card.action.trigger': async (data) => {
      pressed.push(data);
      return { toast: { type: 'success', content: 'new' } };
    },
  });
  const cards = new lark.CardActionHandler(keys, async (data) => {
    pressedOfOld.push(data);
    return { toast: { type: 'success', content: 'old' } };
  });
  const here = await serve({
    '/event': lark.adaptDefault('/event', events, { autoChallenge: true }),
    '/card': lark.adaptDefault('/card', cards, { autoChallenge: true }),
  });

  // Setting the URLs succeeds only when both handlers answer their challenge.
  await desk(base, 'webhook', { plan: { mode: 'webhook', url: `${here}/event` } });
  const told = await desk(base, 'say', { chat: 'alpha', text: 'hello 你好 / \u2028 "x"' });
  await until('a message over the webhook', 10, () => messages.some((m) => m.message_id === told));
  await desk(base, 'rename', { chat: 'alpha', name: 'renamed' });
  await until('a change of a chat', 10, () => renamed.some((e) => e.after_change.name === 'renamed'));
  const client = new lark.Client({
    appId: access.app_id, appSecret: access.app_secret, domain: base, loggerLevel: lark.LoggerLevel.fatal,
  });
  const chat_id = (await client.im.v1.chat.list()).data.items[0].chat_id;
  const message_id = (await client.im.v1.message.create({
    params: { receive_id_type: 'chat_id' },
    data: { receive_id: chat_id, msg_type: 'interactive', content: JSON.stringify(CARD) },
  })).data.message_id;
  let seen = await desk(base, 'press', { message_id });
  assert.deepStrictEqual([seen.code, seen.error, seen.toast.content], [200, null, 'new']);
  assert.strictEqual(pressed.at(-1).context.open_message_id, message_id);
  console.log('ok the new card callback');

  await desk(base, 'webhook', { plan: { mode: 'webhook', event_url: `${here}/event`, card_url: `${here}/card` } });
  seen = await desk(base, 'press', { message_id });
  assert.deepStrictEqual([seen.code, seen.error, seen.toast.content], [200, null, 'old']);
  assert.deepStrictEqual(pressedOfOld.at(-1).action.value, { op: 'approve' });
  assert.strictEqual(pressed.length, 1);
  console.log('ok the old card callback');
}

async function main() {
  const sim = spawn(process.env.LARKDECK_BIN, ['sim', '--scenario', 'still', '--seed', '7'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(readline.createInterface({ input: sim.stdout }), 'line');
    await run(JSON.parse(line));
  } finally {
    sim.kill('SIGTERM');
  }
  console.log('node SDK, receiving: all well');
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
