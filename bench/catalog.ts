import type { Figure } from './figure.ts';
import { agentFailover } from './figures/agent_failover_ms.ts';
import { agentTasks, clusterTasks, taskLatency } from './figures/agent_tasks.ts';
import { agentsPerGb } from './figures/agents_per_gb.ts';
import { hostCutoff50, hostFailover50 } from './figures/host_failover_50_ms.ts';
import { idleRss } from './figures/idle_rss_mb.ts';
import { largeStateBlock } from './figures/large_state.ts';
import { leaderFailover } from './figures/leader_failover_ms.ts';
import { migrationPause } from './figures/migration_pause_ms.ts';
import { placeGrowth, placeLatency, placeMillion, placePerSecond } from './figures/place.ts';
import { raftCutoff, raftFailover } from './figures/raft_failover_vs_etcd.ts';
import { raftRestart } from './figures/raft_restart_ms.ts';
import { raftReads64, raftWriteLatency, raftWrites64, raftWrites256 } from './figures/raft_vs_etcd.ts';
import { rebalance } from './figures/rebalance.ts';
import { simCluster, simCluster100, simConsensus, simSeeds } from './figures/sim_speed.ts';
import { up5 } from './figures/up5_ms.ts';

/** Every figure, in the order in which they run when none is named. */
export const figures: readonly Figure[] = [
  leaderFailover,
  agentFailover,
  hostFailover50,
  hostCutoff50,
  migrationPause,
  largeStateBlock,
  agentTasks,
  clusterTasks,
  taskLatency,
  agentsPerGb,
  up5,
  idleRss,
  raftWrites64,
  raftWrites256,
  raftWriteLatency,
  raftReads64,
  raftFailover,
  raftCutoff,
  raftRestart,
  placeMillion,
  placePerSecond,
  placeLatency,
  placeGrowth,
  rebalance,
  simConsensus,
  simCluster,
  simCluster100,
  simSeeds,
];
