/**
 * Rare things that enough runs must reach, each in one plain sentence: a simulator that never gets there has not tested
 * what its checkers promise. What looks for each stands in `detectors.ts`.
 */
export const catalog = {
  // elections
  'split-vote': 'Several candidates stood in one term, and none of them led it.',
  'leadership-handed-over': 'A leader that was to stop made way, and the voter that it chose led the next term.',
  'handover-came-to-nothing': 'A leader made way for a voter, and the next leader came about in another way.',
  'pre-vote-refused-leader-heard': 'A voter that hears the leader refused a pre-vote to one that does not.',
  'candidate-died': 'A candidate died while it stood for election.',
  'two-leaders-at-once': 'A leader that had not stepped down yet sent entries while another led a higher term.',
  'suspended-leader-woke-up': 'A leader was suspended and woke up, its clock unmoved, when another led.',

  // the log
  'placement-void-at-apply': 'A placement was committed, and void at its place in the log because things had changed.',
  'log-tail-cut': 'A node cut entries off its log that a newer leader does not have.',
  'conflict-hint-skipped-a-term':
    'A follower named the first of several entries of a term that the leader does not have.',
  'committed-while-cut-off': 'A leader announced a commit just after it was cut off from the majority.',
  'leader-died-with-uncommitted-entries': 'A leader died with entries on its disk that it had not called committed.',

  'snapshot-brought': 'A snapshot took the place of a log that was too far behind.',
  'started-from-a-snapshot': 'A node started from a snapshot and the log behind it.',

  // leaders at the worst moment
  'leader-died-during-a-recovery': 'The leader died while a placement was decided and not active yet.',
  'leader-died-before-it-placed-the-agents-of-the-dead':
    'The leader died when the log called a host dead, or gone, and its agents had no new place yet.',
  'leader-died-before-its-first-commit': 'A leader died before anything of its term was committed.',
  'leader-died-while-it-changed-the-configuration': 'The leader died with a configuration in its log, uncommitted.',

  // voters
  'voter-replaced': 'A dead voter went after another one had taken its place.',
  'voter-let-go': 'A dead voter went without a replacement, so that the majority got smaller.',
  'voters-changed-while-one-was-down': 'Other voters were decided on while one of them was off.',
  'heir-of-a-lost-machine-votes': 'A machine that came after another was lost with its disk became a voter.',

  // members
  'node-died-before-the-cluster-was-founded': 'A node died before there was a cluster.',
  'admitted-again-after-a-false-death': 'A node that was declared dead, though it lived, was admitted again as it was.',
  'refutation-learned-from-an-accusation': 'A node learned of a refutation only from a later accusation by others.',
  'hung-up-on-a-stale-link':
    'A node closed a connection that carried nothing although its peer could be reached again.',
  'silent-host-lost-its-agents': 'A host that others reach, but that answers its leader no more, lost its agents.',

  // agents that recover
  'recovery-timed-out': 'A placement did not become active in time and was decided anew.',
  'given-up-by-its-host': 'A host gave an agent up, and it was placed anew.',
  'crash-loop-told': 'The log said that an agent fails again and again.',
  'crash-loop-over': 'An agent that had failed again and again held, and the log said so.',
  'crash-loop-went-on-at-another-host': 'An agent failed again and again at one host, and then at the next.',
  'recovery-begun-anew-three-times': 'A recovery was itself recovered, three times in a row.',
  'moved-agent-lost-its-new-host': 'An agent that an operator moved was placed anew before it answered there.',
  'went-on-with-other-holders': 'An agent got other holders, and its code went on in the new epoch.',
  'went-on-in-the-middle-of-a-task': 'An agent got other holders, and its code went on with the task that it was at.',
  'started-anew-with-other-holders':
    'An agent got other holders, and its code had to be started anew on the same host.',
  'host-died-while-its-holders-changed':
    'A host died when other holders were decided for its agent, and not active yet.',
  'placed-again-while-its-holders-changed': 'An agent whose holders were being changed was placed anew.',
  'checkpoint-of-an-older-epoch-passed-over': 'Holders of one recovery handed over checkpoints of different epochs.',
  'agent-of-a-lost-machine-recovered': 'An agent answered again whose last host was lost with its disk.',
  'holder-needed-the-whole-state': 'A holder lacked the base of a change and asked for the whole state.',
  'changes-sent-together': 'A holder was sent several changes of a state in one step.',
  'state-sent-whole-instead-of-its-changes':
    'A holder that had a state was sent all of it, as not all changes were kept.',
  'changes-taken-in-by-the-parts': 'A holder had so many changes on its disk that it wrote the parts anew.',
  'started-from-parts-and-changes': 'A node started from the parts of a state and the changes since.',
  'former-holder-let-go-of-a-state': 'A node that was no holder of an agent any more let its state go.',
  'former-holder-keeps-a-state-again': 'A node that had let the state of an agent go became a holder of it again.',
  'holders-moved-further-apart': 'An agent got other holders so that its state is on more sites.',
  'state-copied-in-parts': 'A holder fetched a large state part by part and kept it.',
  'parts-asked-for-again': 'Parts of a state that did not come were asked for again.',
  'parts-came-twice': 'Parts of a state came twice.',
  'state-fetched-from-another-holder': 'A node went on fetching a state from another node that has it.',
  'host-died-in-the-middle-of-a-copy': 'A node died while another was fetching a state from it.',
  'copy-superseded': 'A holder was offered another state while it fetched one.',
  'copy-needed-only-some-parts': 'A holder kept a state of which it had some parts already, and fetched the others.',
  'unfinished-copy-dropped-at-the-start': 'A program that started found parts of a copy that had not come to its end.',
  'state-told-ahead-in-pieces': 'A runner told a state, or a large change, in pieces.',
  'no-node-could-take-it': 'An agent had to wait because no node could take it.',
  'move-refused-during-a-recovery': 'An operator was refused to move an agent that was being moved or recovered.',

  // fencing
  'deposed-by-a-holder': 'A holder refused the state of a host because it is sealed at a higher epoch.',
  'deposed-by-a-read': 'A holder told a host that a read of its state is out of date.',
  'sealed-while-the-old-host-ran-a-task': 'A holder was sealed for a new host while the old one ran a task.',
  'old-host-began-a-task-after-the-new-one': 'An old host began a task when a newer epoch had run one already.',
  'active-when-its-host-was-dead': 'An epoch became active when the machine of its host was off already.',

  // accepted losses
  'loss-accepted': 'An operator let an agent go on without most of its holders.',
  'loss-accepted-while-the-old-host-ran': 'An operator let an agent go on while its old host still ran it somewhere.',
  'old-host-answered-after-the-loss':
    'The old host of an agent answered a task when an operator had let the agent go on.',
  'loss-waited-out': 'An agent was not placed before every old host of it had to have stopped.',
  'old-host-said-that-it-stopped': 'The old host of an agent told the leader that it runs it no more.',
  'leader-changed-between-loss-and-placement':
    'The leader changed when an operator had let an agent go on and it had no new place yet.',
  'loss-refused-as-the-checkpoint-changed':
    'An operator was refused to accept a loss: the checkpoint was not there any more.',
  'loss-refused-as-enough-came-back': 'An operator was refused to accept a loss: the agent could be recovered without.',
  'leftover-told': 'A node came back with steps of an agent that an operator had given up.',

  // tasks
  'acknowledged-long-after-it-ran': 'A host acknowledged a task more than three seconds after it had run it.',
  'answered-by-a-host-that-did-not-run-it': 'A host answered a task from the results that it took over with the state.',
  'given-behind-another': 'An agent was given a task while it was at another one.',
  'crashed-with-others-behind': 'An agent crashed at a task while others that it had been given waited behind it.',
  'given-back-and-begun-again':
    'A task that an agent had been given came back as the one before it took long, and was begun later.',
  'task-begun-again-after-a-crash': 'A task was begun again by the same host because its agent had crashed.',

  'try-made-durable-before-it-began': 'A host began a task when a majority knew that it was about to.',
  'task-set-aside': 'A task that ended what ran it again and again was set aside.',
  'task-set-aside-because-hosts-died': 'A task was set aside because host after host died with it.',
  'set-aside-and-done-after-all': 'A task that had been set aside was done when an operator asked for one more try.',
  'set-aside-and-dropped': 'An operator dropped a task that was set aside.',
  'cancelled-while-it-waited': 'A task was cancelled while it waited.',
  'cancelled-while-it-ran': 'A task was cancelled while it ran, and its code gave up.',
  'cancelled-too-late': 'A task was over when somebody wanted to cancel it.',

  'cancelled-at-the-node-that-was-asked': 'A task was cancelled that its host had not been given yet.',
  'sent-again-by-a-new-host': 'A task that an agent sent to another one was sent again by the host that took over.',
  'letter-came-again': 'A task that one agent gave another was sent again when it had run already.',
  'letters-overtook-another': 'A task that one agent gave another left while an earlier one to it was under way.',
  'letter-came-when-it-had-settled':
    'A task that one agent gave another came once more when its sender had settled it.',
  'answer-came-back-as-a-task': 'The answer to what an agent had sent came back to it as a task.',
  'timer-fired-on-another-host': 'A timer fired on another host than the one that set it.',

  'by-type-sent-again-by-a-new-host': 'A task for one agent of a type was sent again by the host that took over.',
  'by-key-sent-again-by-a-new-host': 'A task for the agent of a key was sent again by the host that took over.',
  'by-key-came-from-several-hosts': 'What was sent by a key came to one agent from several hosts.',
  'published-sent-again-by-a-new-host': 'What an agent had published was sent again by the host that took over.',
  'published-to-one-that-was-away': 'What an agent published came to one that had no host when it was first sent.',
  'time-of-day-fired-on-another-host': 'A timer of a time of day fired on another host than the one that set it.',
  'repeated-timer-went-on-at-another-host':
    'A timer that comes again and again fired on one host, and then on another.',

  // agents that end
  'deleted-during-a-recovery': 'An agent was deleted while its placement was not active yet.',
  'gone-while-a-holder-was-down': 'A deleted agent was gone although one of its holders was off.',
  'name-taken-again': 'An agent was deployed under the name of one that is gone.',

  // machines
  'leaders-disk-full': "The leader's process ended because its disk was full.",
  'leaders-last-batch-lost': 'The leader died, and the batch on its way to its disk was lost or torn.',
  'leaders-machine-lost': 'The machine of the leader was lost with its disk.',
  'damaged-disk-found-at-the-start': 'A program refused to start from records that are not what was written.',
  'leaders-disk-stalled': 'The disk of the leader took more than half a second for an entry that others had already.',

  // the network
  'held-frames-arrived-after-a-heal': 'Frames that a cut connection had held back arrived after it was mended.',
  'forgotten-connection-noticed': 'A node noticed that the other end had forgotten their connection.',

  // drains
  'drain-done': 'A node that an operator drained had nothing left that others need.',
  'drain-undone-on-the-way': 'An operator undid a drain that was not done.',
  'drain-overdue': 'A drain was not done when its deadline passed.',
  'drain-outlived-a-restart': 'A node that an operator drains started again, and was drained as before.',
  'left-with-nothing-left': 'A node that was asked to stop left when all that it had was elsewhere.',
  'drained-voter-gave-its-vote': 'A living voter that drains votes no more.',

  // planned moves
  'migration-prepared-and-switched': 'An agent answered at the target of a planned move that was prepared before.',
  'migration-cancelled': 'An operator cancelled a move before the agent was switched over.',
  'migration-cancelled-too-late': 'An operator was refused to cancel a move after the switch.',
  'agent-went-on-as-its-target-was-behind':
    'An agent that rested to be switched over went on, as its target did not get its last steps.',
  'target-died-while-preparing': 'The target of a planned move was lost before the switch, and the agent stayed.',
  'host-died-while-preparing': 'The host of an agent was lost while its move was being prepared.',
  'target-could-not-be-prepared': 'What was to run an agent at its target could not be made ready.',
  'leader-changed-while-preparing': 'A leader switched an agent over whose move an earlier leader had begun.',
  'state-taken-on-without-its-bytes': 'A new host told a holder to go on from the state that it had already.',

  // sides without a majority
  'autonomy-began': 'A node had heard no majority for so long that autonomous agents go on without one.',
  'acting-manager-changed': 'A node took another one for the acting manager of its side.',
  'branch-moved-within-its-side': 'A branch went on under a new host of the same side.',
  'parts-of-a-branch-met':
    'Two parts of one branch met on a side without a majority: one went on without those that keep the other.',
  'side-split-again': 'A branch went on under another host while the one before still ran somewhere.',
  'provisional-answer': 'A branch acknowledged a task of another node of its side.',
  'branch-fast-forwarded': 'What a branch did became the history, as the majority had done nothing.',
  'branch-merged': 'What a branch did was merged with what the majority had done.',
  'branch-contained': 'All that a part of a branch did was known already.',
  'branch-forked': 'What a branch did was kept beside the history as a fork.',
  'two-branches-of-one-agent': 'The log had two branches of one agent to be reconciled.',
  'host-died-with-a-branch-to-be-reconciled':
    'The host of an agent died when the log had a branch of it to be reconciled.',
  'leader-died-with-a-branch-to-be-reconciled': 'The leader died when the log had a branch to be reconciled.',
  'taken-in-by-an-earlier-host': 'A host found that the one before had taken a branch in already.',

  // rollouts
  'rollout-complete': 'A new version was rolled out to all agents of a type.',
  'rolled-back': 'A rollout went back, and every agent that it had upgraded with it.',
  'rolled-back-at-the-start': 'A rollout went back because the new version could not start.',
  'rolled-back-at-migrate': 'A rollout went back because the new version could not take the state over.',
  'rolled-back-because-of-tasks': 'A rollout went back because agents crashed over their tasks with the new version.',
  'rolled-back-as-it-refused-its-tasks':
    'A rollout went back because the new version refused all tasks that it was given.',
  'rolled-back-by-an-operator': 'An operator took a rollout back.',
  'new-version-could-not-be-prepared': 'A rollout went back because what was to run an agent could not be made ready.',
  'rollout-went-on-without-an-agent': 'A rollout went on without an agent that had not answered for long.',
  'agent-stayed-on-a-version': 'An agent that had worked with a new version had no way back, and stayed on it.',
  'state-brought-back': 'A state that a new version had written was brought back for an older one.',
  'leader-changed-during-a-rollout': 'A leader ended a rollout that an earlier leader had begun.',
  'host-died-during-an-upgrade': 'The host of an agent was lost while its new version was watched.',

  // operators
  'command-passed-on-to-a-second-leader': 'A command was passed on to one leader, and then to another.',
  'command-ended-unknown': 'An operator was told that nobody knows whether a command took effect.',
  'two-operators-about-one-agent': 'Two different commands about one agent were under way at the same time.',
} as const satisfies Record<string, string>;

/** Names one rare thing. */
export type MarkName = keyof typeof catalog;

export const markNames = Object.keys(catalog) as MarkName[];
