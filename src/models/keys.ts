import { SERVICES } from './services.ts';

/** Variables of the environment that hold keys of providers, whichever of them is used. */
export const KEY_VARIABLES: readonly string[] = [
  ...Object.values(SERVICES).flatMap(service => service.keys),
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'HF_TOKEN',
];
