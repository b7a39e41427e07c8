import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from './command-error.ts';

export const pythonFile = 'agent.py';
const modulesMax = 64;
const moduleName = /^([A-Za-z_][A-Za-z0-9_]*)\.py$/;

/** Gives Python the folder's modules, which it looks up here before anywhere else, and runs the agent's own. */
const loader = `
class _Folder:
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name in _modules else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        _run(module.__name__, module.__dict__)
def _run(name, namespace):
    exec(compile(_modules[name], name + ".py", "exec"), namespace)
sys.meta_path.insert(0, _Folder())
_run("agent", {"__name__": "__main__", "__builtins__": __builtins__})
`;

/**
 * A folder's Python files as one text, as nodes take it: `agent.py` runs, the others can be imported by their names. Packages
 * are not looked for. Throws `UsageError` when there are too many.
 */
export async function packPython(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => moduleName.test(name)).sort();
  if (names.length > modulesMax) {
    throw new UsageError(`${folder} has more than ${modulesMax} Python files. Nothing was changed. Join some of them.`);
  }
  const modules: Record<string, string> = {};
  for (const name of names) modules[name.slice(0, -'.py'.length)] = await readFile(join(folder, name), 'utf8');
  // A JSON text of strings is Python, too.
  return `import importlib.util, sys\n_modules = ${JSON.stringify(modules)}\n${loader.trimStart()}`;
}
