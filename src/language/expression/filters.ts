import { DATA_FILTERS } from './filters-data.ts';
import { LIST_FILTERS } from './filters-list.ts';
import { NUMBER_FILTERS } from './filters-number.ts';
import { TEXT_FILTERS } from './filters-text.ts';
import { byName } from './signature.ts';

/** Every filter by name, in the order of the alphabet. */
export const FILTERS = byName([...DATA_FILTERS, ...LIST_FILTERS, ...NUMBER_FILTERS, ...TEXT_FILTERS].sort((a, b) => (a.name < b.name ? -1 : 1)));
