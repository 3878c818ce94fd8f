import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Keys, type KeySource } from './keys.ts';

function setup(isForeground = true) {
  const told: string[] = [];
  const emitter = new EventEmitter();
  const source: KeySource = {
    setRawMode: on => told.push(on ? 'raw' : 'cooked'),
    resume: () => told.push('resume'),
    pause: () => told.push('pause'),
    on: (event, listener) => emitter.on(event, listener),
    off: (event, listener) => emitter.off(event, listener),
  };
  const keys = new Keys({
    source,
    onKey: key => told.push(`key ${key}`),
    onSuspend: () => told.push('suspend'),
    isForeground: () => isForeground,
    signal: name => told.push(name),
  });
  const lose = (error: Error): void => void emitter.emit('error', error);
  return { keys, told, lose, type: (text: string) => void emitter.emit('data', Buffer.from(text)), listeners: () => emitter.listenerCount('data') };
}

test('keys are told as small letters, and the terminal is given back', () => {
  const { keys, told, type, listeners } = setup();
  keys.start();
  keys.start();
  type('f');
  type('Lq');
  keys.stop();
  keys.stop();
  type('f');
  expect(told).toEqual(['raw', 'resume', 'key f', 'key l', 'key q', 'cooked', 'pause']);
  expect(listeners()).toBe(0);
});

test('an arrow key means nothing', () => {
  const { keys, told, type } = setup();
  keys.start();
  type('\u001b[A');
  keys.stop();
  expect(told).toEqual(['raw', 'resume', 'cooked', 'pause']);
});

test('Ctrl-C interrupts, as without keys', () => {
  const { keys, told, type } = setup();
  keys.start();
  type('\u0003');
  expect(told).toEqual(['raw', 'resume', 'SIGINT']);
});

test('Ctrl-Z gives the terminal back and stops the process; what it drew is there again when it goes on', () => {
  const { keys, told, type } = setup();
  keys.start();
  type('\u001a');
  expect(told).toEqual(['raw', 'resume', 'suspend', 'cooked', 'pause', 'SIGTSTP']);
  process.emit('SIGCONT');
  expect(told.slice(6)).toEqual(['raw', 'resume']);
  keys.stop();
  process.emit('SIGCONT');
  expect(told.slice(8)).toEqual(['cooked', 'pause']);
});

test('a process in the background leaves the terminal alone', () => {
  const { keys, told } = setup(false);
  keys.start();
  keys.stop();
  expect(told).toEqual([]);
});

test('a terminal that is gone ends the reading, and nothing else', () => {
  const { keys, told, type, lose } = setup();
  keys.start();
  lose(new Error('read EIO'));
  lose(new Error('read EIO'));
  type('f');
  keys.stop();
  expect(told).toEqual(['raw', 'resume', 'cooked', 'pause']);
});
