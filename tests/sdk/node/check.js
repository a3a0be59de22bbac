// The official Node SDK, unchanged, against `larkdeck sim`: calls, then its long-connection client.
'use strict';
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const readline = require('node:readline');
const lark = require('@larksuiteoapi/node-sdk');

const CARD = {
  schema: '2.0',
  header: { title: { tag: 'plain_text', content: 'Deploy?' } },
  body: {
    elements: [
      { tag: 'markdown', element_id: 'md', content: 'v418' },
      {
        tag: 'button', name: 'ok', text: { tag: 'plain_text', content: 'Approve' },
        behaviors: [{ type: 'callback', value: { op: 'approve' } }],
      },
    ],
  },
};

const good = (answer) => {
  assert.strictEqual(answer.code, 0, JSON.stringify(answer));
  return answer.data;
};

async function until(what, seconds, condition) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    if (condition()) return console.log('ok', what);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

async function desk(base, path, body = {}) {
  const answer = await fetch(`${base}/_sim/${path}`, { method: 'POST', body: JSON.stringify(body) });
  return answer.json();
}

async function calls(access) {
  const client = new lark.Client({
    appId: access.app_id, appSecret: access.app_secret, domain: access.base_url, loggerLevel: lark.LoggerLevel.fatal,
  });
  const chats = good(await client.im.v1.chat.list({ params: { page_size: 50 } })).items;
  assert(chats.length >= 3);
  const chat_id = chats[1].chat_id;
  assert.strictEqual(good(await client.im.v1.chat.get({ path: { chat_id } })).chat_status, 'normal');
  const members = good(await client.im.v1.chatMembers.get({ path: { chat_id } })).items;
  const user = good(await client.contact.v3.user.get({ path: { user_id: members[0].member_id } })).user;
  assert.strictEqual(user.name, members[0].name);
  const found = good(await client.contact.v3.user.batchGetId({
    data: { emails: [user.email, 'nobody@ex.test'], mobiles: ['13800000000', '+8613800000000'] },
  })).user_list;
  assert.strictEqual(found[0].user_id, members[0].member_id);
  assert(!found[1].user_id && found[2].user_id && !found[3].user_id);
  console.log('ok token, contacts, chats');

  const send = (data) => client.im.v1.message.create({ params: { receive_id_type: 'chat_id' }, data });
  const text = { receive_id: chat_id, msg_type: 'text', content: JSON.stringify({ text: 'hello 你好' }), uuid: 'node-1' };
  const message = good(await send(text));
  assert.strictEqual(good(await send(text)).message_id, message.message_id);
  const path = { message_id: message.message_id };
  const reply = good(await client.im.v1.message.reply({
    path, data: { msg_type: 'text', content: JSON.stringify({ text: 'in a thread' }), reply_in_thread: true },
  }));
  assert(reply.thread_id);
  const seen = [];
  for await (const page of await client.im.v1.message.listWithIterator({
    params: { container_id_type: 'chat', container_id: chat_id, page_size: 20 },
  })) seen.push(...page.items.map((item) => item.message_id));
  assert(seen.includes(message.message_id) && !seen.includes(reply.message_id));
  const reaction = good(await client.im.v1.messageReaction.create({
    path, data: { reaction_type: { emoji_type: 'THUMBSUP' } },
  }));
  assert(good(await client.im.v1.messageReaction.list({ path })).items.some((r) => r.reaction_id === reaction.reaction_id));
  good(await client.im.v1.messageReaction.delete({ path: { ...path, reaction_id: reaction.reaction_id } }));
  const image = await client.im.v1.image.create({
    data: { image_type: 'message', image: Buffer.from('89504e470d0a1a0a0000', 'hex') },
  });
  assert(image.image_key);
  const entity = good(await client.cardkit.v1.card.create({
    data: { type: 'card_json', data: JSON.stringify({ ...CARD, config: { streaming_mode: true } }) },
  }));
  const streamed = good(await send({
    receive_id: chat_id, msg_type: 'interactive', content: JSON.stringify({ type: 'card', data: { card_id: entity.card_id } }),
  }));
  good(await client.cardkit.v1.cardElement.content({
    path: { card_id: entity.card_id, element_id: 'md' }, data: { content: 'growing', sequence: 1 },
  }));
  good(await client.cardkit.v1.card.settings({
    path: { card_id: entity.card_id }, data: { settings: JSON.stringify({ config: { streaming_mode: false } }), sequence: 2 },
  }));
  const read = good(await client.im.v1.message.get({ path: { message_id: streamed.message_id } })).items[0];
  assert(read.body.content.includes('growing'));
  const card = good(await send({ receive_id: chat_id, msg_type: 'interactive', content: JSON.stringify(CARD) }));
  console.log('ok messages, threads, files, cards, reactions');
  return [chat_id, card.message_id];
}

async function live(access, chat_id, card_id) {
  const base = access.base_url;
  const messages = [];
  const pressed = [];
  const handlers = new lark.EventDispatcher({ loggerLevel: lark.LoggerLevel.fatal }).register({
    'im.message.receive_v1': async (data) => { messages.push(data.message); },
    'card.action.trigger': async (data) => {
      pressed.push(data);
      return { toast: { type: 'success', content: 'done' } };
    },
  });
  const client = new lark.WSClient({
    appId: access.app_id, appSecret: access.app_secret, domain: base, loggerLevel: lark.LoggerLevel.fatal,
  });
  client.start({ eventDispatcher: handlers });
  await until('a message of the living scenario', 10, () => messages.length > 0);
  await until('a fragmented message', 25, () => messages.some((m) => m.content.length > 1500));
  const long = '长'.repeat(9000);
  const told = (await desk(base, 'say', { chat: chat_id, text: long, fragments: 7 })).ok;
  await until('a message in seven fragments', 10, () =>
    messages.some((m) => m.message_id === told && JSON.parse(m.content).text === long));
  await until('a card press of the living scenario', 25, () => pressed.length > 0);
  const answer = (await desk(base, 'press', { message_id: card_id })).ok;
  assert.strictEqual(answer.code, 200);
  assert.strictEqual(answer.answer.toast.content, 'done');
  assert.strictEqual(pressed.at(-1).context.open_message_id, card_id);
  console.log('ok the answer to a card press');
  await desk(base, 'drop');
  const before = messages.length;
  await until('messages after a drop', 30, () => messages.length > before);
}

async function main() {
  const sim = spawn(process.env.LARKDECK_BIN, ['sim', '--seed', '7'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = await once(readline.createInterface({ input: sim.stdout }), 'line');
    const access = JSON.parse(line);
    await live(access, ...(await calls(access)));
  } finally {
    sim.kill('SIGTERM');
  }
  console.log('node SDK: all well');
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
