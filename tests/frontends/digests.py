"""The sample programs from Python: see digests.c."""

import sys
from array import array

import adead


def main() -> None:
    backend, file, *names = sys.argv[1:]
    runtime = adead.Runtime(backend)
    for name in names:
        program = adead.Program(f"hex/programs/{name}.hex", runtime=runtime)
        run = program.run()
        for output in program.outputs:
            print(f"{run.digest(output.name)}  {name}/{output.name}")
        print(f"{adead.sha256(run.stream)}  {name}/stream")
    data = open(file, "rb").read()
    images = array("f", data[10 + data[8] + 256 * data[9] :])
    program = adead.Program("hex/programs/digits.hex", runtime=runtime)
    run = program.run({"images": adead.Tensor(images, shape=(len(images) // 64, 64))})
    print(f"{run.digest('logits')}  heldout/logits")


main()
