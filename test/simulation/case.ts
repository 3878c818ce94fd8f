import { planOf } from './plan.ts';
import { checkFork, forkOf } from './fork.ts';
import { makeScenario, type Scenario } from './scenario.ts';
import { simulate } from './scheduler.ts';
import { scriptOf, type Script } from './script.ts';
import type { Engine, Setting, World } from './world.ts';
import { compiled } from './yaml.ts';

/** One in so many scenarios is written as YAML, compiled, and run with its real expressions. */
const YAML_EVERY = 50;

export interface Case {
  scenario: Scenario;
  world: World;
  problems: string[];
}

/** Runs the scenario of a seed, and where it says so a fork of it. */
export function runSeed(engine: Engine, seed: number): Case {
  const setting = settingOf(seed);
  const { scenario } = setting;
  const { world, problems } = simulate(engine, setting);
  if (problems.length > 0 || scenario.after !== 'fork') return { scenario, world, problems };
  const prologue = forkOf(world);
  checkFork(world, prologue);
  const fork = simulate(engine, setting, 1, prologue);
  return { scenario, world: fork.world, problems: [...problems, ...fork.problems.map(problem => `in the fork: ${problem}`)] };
}

function settingOf(seed: number): Setting {
  const scenario = makeScenario(seed);
  if (seed % YAML_EVERY !== 0) {
    const { plan, specs } = planOf(scenario);
    return { scenario, plan, blocks: specs, script: scriptOf(scenario) };
  }
  scenario.inputTags = 0;
  const script: Script = { ...scriptOf(scenario), computes: () => true, fallback: () => true };
  return { scenario, ...compiled(scenario), blocks: planOf(scenario).specs, script };
}
