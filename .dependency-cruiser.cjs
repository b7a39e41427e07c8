// Who may know whom: the picture in docs/architecture.md. An import points down in it, never sideways or up.
const ours = '^(bench|bin|consensus|docker|examples|node|scripts|sim|strategies|test|web)/';

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'Files that need each other are one noun, or a third is missing.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-missing',
      comment: 'An import that cannot be resolved is one that no rule here can judge.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'leaves-know-nobody',
      comment: 'consensus/ and strategies/ are libraries that a stranger could lift out.',
      severity: 'error',
      from: { path: '^(consensus|strategies)/' },
      to: { path: ours, pathNot: '^$1/' },
    },
    {
      name: 'core-knows-leaves-only',
      severity: 'error',
      from: { path: '^node/core/' },
      to: { path: ours, pathNot: '^(node/core|consensus|strategies)/' },
    },
    {
      name: 'hosts-know-core-only',
      comment: 'The runtime, the API and the simulator are hosts of the same core and do not know each other.',
      severity: 'error',
      from: { path: '^(node/runtime|node/api|sim)/' },
      to: { path: ours, pathNot: '^($1|node/core|consensus|strategies)/' },
    },
    {
      name: 'recover-knows-runtime',
      comment: 'A program of its own that works on the disks of stopped nodes.',
      severity: 'error',
      from: { path: '^node/recover/' },
      to: { path: ours, pathNot: '^(node/recover|node/runtime|node/core|consensus|strategies)/' },
    },
    {
      name: 'only-main-wires',
      comment: 'The other files beside node/main.ts may know the core, nothing else.',
      severity: 'error',
      from: { path: '^node/[^/]+\\.ts$', pathNot: '^node/main\\.ts$' },
      to: { path: ours, pathNot: '^(node/[^/]+\\.ts$|node/core/|consensus/|strategies/)' },
    },
    {
      name: 'main-stays-inside',
      severity: 'error',
      from: { path: '^node/main\\.ts$' },
      to: { path: ours, pathNot: '^(node/[^/]+\\.ts$|node/(core|runtime|api)/|consensus/|strategies/)' },
    },
    {
      name: 'nobody-knows-main',
      severity: 'error',
      from: { path: '^(bench|consensus|docker|examples|node|sim|strategies|web)/' },
      to: { path: '^node/main\\.ts$' },
    },
    {
      name: 'outside-stays-outside',
      comment: 'docker/ and web/ speak to a node over Docker and HTTP.',
      severity: 'error',
      from: { path: '^(docker|web)/' },
      to: { path: ours, pathNot: '^($1|node/core|node/api)/' },
    },
    {
      name: 'cli-stays-outside',
      severity: 'error',
      from: { path: '^node/cli/' },
      to: { path: ours, pathNot: '^(node/cli|docker|node/core|node/api|node/recover|sim)/' },
    },
    {
      name: 'outside-takes-types-only',
      severity: 'error',
      from: { path: '^(docker|node/cli|web)/' },
      to: { path: '^(node/(core|api|recover)|sim)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'examples-take-types-only',
      comment: 'An example is code that a user copies: it runs by itself.',
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: ours, pathNot: '^examples/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'product-without-tests',
      severity: 'error',
      from: { path: '^(consensus|docker|examples|node|sim|strategies|web)/' },
      to: { path: '^(bench|scripts|test)/' },
    },
    {
      name: 'pure-without-builtins',
      comment: 'No I/O, no clock and no randomness of their own: those come in as events.',
      severity: 'error',
      from: { path: '^(consensus|strategies|node/core)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'leaves-without-packages',
      severity: 'error',
      from: { path: '^(consensus|strategies)/' },
      to: { path: '(^|/)node_modules/' },
    },
    {
      name: 'core-with-pure-packages',
      comment: 'Codecs and schemas only.',
      severity: 'error',
      from: { path: '^node/core/' },
      to: {
        path: '(^|/)node_modules/',
        pathNot: '(^|/)node_modules/(protons-runtime|uint8arrays|uint8arraylist|typebox)/',
      },
    },
  ],
  options: {
    // Types count: a room that needs another's types knows it. Needs the TypeScript 6 that `typescript` is an alias of.
    tsPreCompilationDeps: true,
    doNotFollow: { path: '(^|/)node_modules/' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
      conditionNames: ['import', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
  },
};
