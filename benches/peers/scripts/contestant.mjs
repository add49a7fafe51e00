// Node's ways: child_process (one process a call), and piscina, whose workers are threads. Speaks what src/lib.rs describes.

import { fork } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const WORKERS = 2;
const IN_FLIGHT = 8;
const self = fileURLToPath(import.meta.url);

export function addOne(number) {
  return number + 1;
}

export function work(micros) {
  const end = process.hrtime.bigint() + BigInt(micros) * 1000n;
  while (process.hrtime.bigint() < end);
  return micros;
}

export function same(data) {
  return data;
}

class Processes {
  start(number) {
    return new Promise((resolve, reject) => {
      const child = fork(self, ["child"]);
      let result;
      child.once("message", (message) => (result = message));
      child.once("error", reject);
      child.once("exit", () => resolve(result));
      child.send(number);
    });
  }
}

class Threads {
  async made() {
    if (!this.workers) {
      const { Piscina } = await import("piscina");
      this.workers = new Piscina({ filename: self, minThreads: WORKERS, maxThreads: WORKERS });
    }
    return this.workers;
  }
  async pool(micros, count) {
    const workers = await this.made();
    await Promise.all(Array.from({ length: count }, () => workers.run(micros, { name: "work" })));
  }
  async trip(number) {
    return (await this.made()).run(number, { name: "addOne" });
  }
  async same(data) {
    return (await this.made()).run(data, { name: "same" });
  }
}

async function timed(run) {
  const begin = process.hrtime.bigint();
  await run();
  return process.hrtime.bigint() - begin;
}

async function starts(own, count, inFlight) {
  const started = [];
  for (let number = 0; number < count; number++) {
    if (started.length === inFlight) await started.shift();
    started.push(own.start(number));
  }
  await Promise.all(started);
}

async function repeated(count, run) {
  await run();
  return timed(async () => {
    for (let index = 0; index < count; index++) await run();
  });
}

async function answer(own, kept, asked, numbers) {
  if (asked === "heap") {
    for (let gib = 0; gib < numbers[0]; gib++) kept.push(Buffer.alloc(2 ** 30, 1));
    return 0;
  }
  if (asked === "start" || asked === "burst") {
    return own.start ? timed(() => starts(own, numbers[0], asked === "start" ? 1 : IN_FLIGHT)) : undefined;
  }
  if (!own.trip) return undefined;
  if (asked === "pool") {
    await own.pool(0, 2 * WORKERS);
    return timed(() => own.pool(...numbers));
  }
  if (asked === "trip") return repeated(numbers[0], () => own.trip(1));
  if (asked === "bytes") return repeated(numbers[1], () => own.same(new Uint8Array(numbers[0]).fill(7)));
  if (asked === "floats") return repeated(numbers[1], () => own.same(new Float64Array(numbers[0] / 8).fill(0.5)));
  return undefined;
}

async function main() {
  if (process.argv[2] === "child") {
    process.once("message", (number) => process.send(addOne(number), () => process.disconnect()));
    return;
  }
  const own = process.argv[2] === "piscina" ? new Threads() : new Processes();
  const kept = [];
  for await (const line of createInterface({ input: process.stdin })) {
    const [asked, ...numbers] = line.split(" ");
    console.log(String((await answer(own, kept, asked, numbers.map(Number))) ?? "-"));
  }
  process.exit(0);
}

if (process.argv[1] === self) await main();
