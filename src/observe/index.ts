export { costReport, type CostFilter, type CostLine, type CostReport, type Ledger } from './costs.ts';
export { forecast, type Forecast, type ForecastModels, type TaskForecast } from './forecast.ts';
export { CostMonitor, readTime, type CostReportOptions, type Observed } from './monitor.ts';
export type { CostSuggestion, PricedModels } from './savings.ts';
export { profiles, recordCalls, type LedgerProfile } from './profiles.ts';
