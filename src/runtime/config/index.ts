export { ConfigError, nameFor, readConfigFile, type ConfigFile } from './file.ts';
export { CONFIG_NAME, findConfig, loadConfig, userFolder, type ConfigOptions, type LoadedConfig } from './load.ts';
export { hasReference } from './references.ts';
export { CONFIG_SCHEMA, DEFAULTS, type Config } from './schema.ts';
export { findPowers, isTrusted, revokeTrust, trustFile, trustRecordFile } from './trust.ts';
