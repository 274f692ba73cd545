// Says what AsyncAPI's parser finds wrong with a document: node asyncapi.js FILE
const fs = require('fs');
const { Parser } = require('@asyncapi/parser');
const severities = ['error', 'warning', 'information', 'hint'];

async function parse(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  return { document, wrong: diagnostics.filter(d => d.severity <= 1) };
}

async function main(file) {
  const text = fs.readFileSync(file, 'utf8');
  const { document, wrong } = await parse(text);
  for (const d of wrong) console.error(`${file}: ${severities[d.severity]} ${d.code} at ${d.path.join('/')}: ${d.message}`);
  if (wrong.length) process.exit(1);

  // A check that lets these pass would let anything pass.
  const broken = [
    ['an operation without a channel', "#/channels/ended\"", "#/channels/endet\""],
    ['a message that is not there', '#/components/messages/segue.step.failed.v1"', '#/components/messages/segue.step.fallen.v1"'],
    ['a payload that is no schema', 'minimum: 0', 'minimum: none'],
    ['an action that does not exist', 'action: send', 'action: shout'],
    ['an address with a parameter that is not described', 'address: saga.start.{definition}', 'address: saga.start.{name}'],
  ];
  for (const [what, good, bad] of broken) {
    if (!text.includes(good)) throw new Error(`${file} has no ${good} to break`);
    const { wrong } = await parse(text.replace(good, bad));
    if (!wrong.length) throw new Error(`the parser does not mind ${what}`);
  }
  console.log(`${file}: AsyncAPI ${document.version()}, ${document.channels().length} channels, ` +
    `${document.operations().length} operations, ${document.allMessages().length} messages: ` +
    `nothing wrong; ${broken.length} broken copies were told`);
}
main(process.argv[2]).catch(error => { console.error(`asyncapi: ${error.message}`); process.exit(1); });
