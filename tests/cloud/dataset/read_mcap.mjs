// Reads a recording that Gleaner exported with the format's own library, and says as JSON what is in it.
//   node read_mcap.mjs FILE
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../third_party/npm/package.json', import.meta.url));
const { McapIndexedReader, McapStreamReader } = require('@mcap/core');

const file = await open(process.argv[2], 'r');
const { size } = await file.stat();
const readable = {
  size: async () => BigInt(size),
  read: async (offset, length) => {
    const bytes = new Uint8Array(Number(length));
    const { bytesRead } = await file.read(bytes, 0, Number(length), Number(offset));
    if (bytesRead !== Number(length)) throw new Error('short read');
    return bytes;
  },
};
const reader = await McapIndexedReader.Initialize({ readable });

// Each field of foxglove.CompressedVideo is length-delimited.
function fields(bytes) {
  const found = {};
  for (let at = 0; at < bytes.length; ) {
    const varint = () => {
      let value = 0;
      for (let shift = 1; ; shift *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * shift;
        if (byte < 128) return value;
      }
    };
    const tag = varint();
    if ((tag & 7) !== 2) throw new Error(`field ${tag >> 3} is not length-delimited`);
    const length = varint();
    found[tag >> 3] = bytes.subarray(at, at + length);
    at += length;
  }
  return found;
}

function unitTypes(bytes) {
  const types = [];
  for (let i = 0; i + 3 < bytes.length; i++) {
    if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1) types.push(bytes[i + 3] & 31);
  }
  return types;
}

const text = new TextDecoder();
const said = { messages: 0, clips: 0, videos: [], labels: [], series: {}, videoSchema: '' };
const videos = new Map();
const labelTimes = new Map();
for await (const metadata of reader.readMetadata({ name: 'gleaner.clip' })) {
  said.clips++;
  if (!metadata.metadata.get('clip')) throw new Error('a clip without a name');
}
for await (const message of reader.readMessages({ validateCrcs: true })) {
  said.messages++;
  const channel = reader.channelsById.get(message.channelId);
  const schema = reader.schemasById.get(channel.schemaId);
  if (channel.topic.endsWith('/video')) {
    said.videoSchema = schema.name;
    const { 1: time, 2: frameId, 3: data, 4: format } = fields(message.data);
    if (!time || !frameId) throw new Error('a message without a time');
    const camera = channel.topic.replace(/\/video$/, '');
    const video = videos.get(camera) ?? { camera, units: 0, keyframes: 0, keyframesWithoutParameterSets: 0, ascending: true, last: -1n, times: new Set(), data: [], format: text.decode(format) };
    videos.set(camera, video);
    const types = unitTypes(data);
    video.units++;
    if (types.includes(5)) {
      video.keyframes++;
      if (!types.includes(7) || !types.includes(8)) video.keyframesWithoutParameterSets++;
    }
    if (message.logTime <= video.last) video.ascending = false;
    video.last = message.logTime;
    video.times.add(message.logTime);
    video.data.push(Buffer.from(data));
  } else if (channel.topic.endsWith('/labels')) {
    const label = JSON.parse(text.decode(message.data));
    said.labels.push(label);
    const camera = channel.topic.replace(/\/labels$/, '');
    labelTimes.set(camera, [...(labelTimes.get(camera) ?? []), message.logTime]);
  } else {
    (said.series[channel.topic] ??= []).push([String(message.logTime), JSON.parse(text.decode(message.data)).value]);
  }
}
for (const video of videos.values()) {
  said.videos.push({
    camera: video.camera,
    units: video.units,
    keyframes: video.keyframes,
    keyframesWithoutParameterSets: video.keyframesWithoutParameterSets,
    ascending: video.ascending,
    format: video.format,
    labelTimesWithoutPicture: (labelTimes.get(video.camera) ?? []).filter((time) => !video.times.has(time)).map(String),
    annexB: Buffer.concat(video.data).toString('hex'),
  });
}
if (Number(reader.statistics.messageCount) !== said.messages) throw new Error('the statistics count otherwise');

// The same again from the beginning to the end, which checks each checksum on the way.
const stream = new McapStreamReader({ validateCrcs: true });
stream.append(await readable.read(0n, BigInt(size)));
let streamed = 0;
for (let record; (record = stream.nextRecord()); ) if (record.type === 'Message') streamed++;
if (!stream.done() || streamed !== said.messages) throw new Error('another number of messages in the stream');
await file.close();
console.log(JSON.stringify(said));
