export { PipelineRecovery, RestoredPipeline, type Checkpoint, type RecoveryOptions } from './checkpoint.ts';
