"""The virtual machine: a stock Debian under QEMU, started from memory, driven from the test.

Everything is a child of the test's process and uses loopback only; the guest's network reaches
nothing but the ports that are forwarded to it.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.vm.channel import Agent, MachineError, MachineTimeoutError, Monitor
from tests.vm.lineshim import LineShim, UartWire
from tests.vm.usbredir import UsbDevice

QEMU = "qemu-system-x86_64"
KERNEL_ARGUMENTS = (
    "console=ttyS0 systemd.mask=serial-getty@ttyS0.service quiet panic=-1 mitigations=off audit=0 "
    "8250.nr_uarts=12 systemd.show_status=0"
)
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
}


class Machine:
    """One guest, up as soon as it is entered.

    `image` is a folder that build-image made. The wires of `shim` are 16550A UARTs on PCI cards,
    /dev/ttyS4 and on (ttyS0 is the console, ttyS1 to 3 have no hardware). `ports` are TCP ports of
    the guest; `address(port)` is where they are reached.
    """

    def __init__(
        self, image: Path, *, shim: LineShim | None = None, ports: Sequence[int] = ()
    ) -> None:
        self.image = image
        self._shim = shim
        self._forwards = {port: _free_port() for port in ports}
        self._folder = Path(tempfile.mkdtemp(prefix="gatewayd-vm."))
        self._process: subprocess.Popen[bytes] | None = None
        self._qmp: Monitor
        self._agent: Agent

    def __enter__(self) -> Self:
        try:
            state, disk = self._snapshot()
            self._launch(disk, "-incoming", "defer")
            self._qmp("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state))}")
            self._qmp.wait("MIGRATION", 60, status="completed")
            self._qmp("cont")
            self._agent.sync(60)
            self.run(["date", "-s", f"@{time.time():.3f}"])
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    # --- starting and stopping -------------------------------------------------------------------

    def _hardware(self) -> list[str]:
        """Everything of the command line that the guest can see, and that its memory depends on."""
        arguments = ["-m", "512", "-smp", "2", "-nodefaults", "-no-user-config", "-display", "none"]
        arguments += ["-M", "q35,usb=off,vmport=off,graphics=off", "-no-reboot"]
        if _kvm_usable():
            arguments += ["-accel", "kvm", "-cpu", "host"]
        else:
            arguments += ["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64"]
        for device in (
            "isa-serial,chardev=console",
            "virtio-rng-pci",
            "virtio-serial-pci",
            "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "virtio-net-pci,netdev=net,romfile=,mac=52:54:00:67:77:01",
            "qemu-xhci,id=usb,p2=8,p3=0",
            *(f"pci-serial,chardev={wire.name}" for wire in self._wires),
        ):
            arguments += ["-device", device]
        return [*arguments, "-append", KERNEL_ARGUMENTS]

    @property
    def _wires(self) -> Sequence[UartWire]:
        return self._shim.wires if self._shim else ()

    def _launch(self, disk: Path, *arguments: str) -> None:
        qmp, qmp_far = socket.socketpair()
        agent, agent_far = socket.socketpair()
        net = "user,id=net,restrict=on" + "".join(
            f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for there, here in self._forwards.items()
        )
        command = [QEMU, *self._hardware(), "-netdev", net]
        for chardev in (
            f"socket,id=qmp,fd={qmp_far.fileno()}",
            f"socket,id=agent,fd={agent_far.fileno()}",
            f"file,id=console,path={self._folder}/console.log",
            *(f"serial,id={wire.name},path={wire.path}" for wire in self._wires),
        ):
            command += ["-chardev", chardev]
        command += ["-mon", "chardev=qmp,mode=control"]
        command += ["-kernel", f"{self.image}/vmlinux", "-initrd", f"{self.image}/initrd.img"]
        command += ["-drive", f"file={disk},if=virtio,format=qcow2", *arguments]
        shim_environment = self._shim.environment if self._shim else {}
        with qmp_far, agent_far, (self._folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self._folder), **shim_environment},
                pass_fds=(
                    qmp_far.fileno(),
                    agent_far.fileno(),
                    *((self._shim.changed,) if self._shim else ()),
                ),
                preexec_fn=_die_with_parent,
            )
        self._agent = Agent(agent)
        try:
            self._qmp = Monitor(qmp)
        except MachineError as error:
            text = (self._folder / "qemu.log").read_text(errors="replace")
            raise MachineError(f"QEMU did not start: {text[-2000:]}") from error
        self._qmp(
            "migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}]
        )

    def _wait_booted(self) -> None:
        try:
            self._agent.sync(180)
        except MachineTimeoutError as error:
            console = (self._folder / "console.log").read_text(errors="replace")
            raise MachineTimeoutError(f"the guest did not boot:\n{console[-3000:]}") from error
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=180)
        if state.stdout.strip() != "running":
            failed = self.run("systemctl --failed --no-legend").stdout
            raise MachineError(f"the guest is {state.stdout.strip()}: {failed}")

    def _snapshot(self) -> tuple[Path, Path]:
        """Memory and disk of a booted idle guest with this hardware; made once, kept by the image.

        The disk is what this machine writes on; the one of the snapshot lies beneath it.
        """
        version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
        what = [self._hardware(), version.stdout, (self.image / "manifest").read_text()]
        key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
        snapshot = self.image / f"snapshot-{key}"
        if not snapshot.exists():
            new = Path(tempfile.mkdtemp(prefix="new.", dir=self.image))
            try:
                self._make_snapshot(new)
                new.rename(snapshot)
            except OSError:
                if not snapshot.exists():  # else somebody was faster
                    raise
            finally:
                shutil.rmtree(new, ignore_errors=True)
        disk = self._folder / "disk.qcow2"
        _overlay(disk, snapshot / "disk.qcow2", "qcow2")
        return snapshot / "memory", disk

    def _make_snapshot(self, folder: Path) -> None:
        _overlay(folder / "disk.qcow2", self.image / "root.img", "raw")
        maker = Machine(self.image, shim=self._shim)
        try:
            maker._launch(folder / "disk.qcow2")
            maker._wait_booted()
            maker.run(
                "sync; echo 3 > /proc/sys/vm/drop_caches; cat /lib/systemd/systemd > /dev/null"
            )
            maker._qmp("stop")
            maker._qmp("migrate-set-parameters", max_bandwidth=1 << 34)
            maker._qmp("migrate", uri=f"exec:cat > {shlex.quote(str(folder / 'memory'))}")
            maker._qmp.wait("MIGRATION", 60, status="completed")
        finally:
            maker._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._agent.close()
            if hasattr(self, "_qmp"):
                self._qmp.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- programs and files ----------------------------------------------------------------------

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str | bytes = b"",
        timeout: float = 60.0,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the guest as root, a string by its shell.

        Raises MachineError when it fails, unless `check` is False.
        """
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        limit = ["/usr/bin/timeout", "-k", "2", f"{timeout:.0f}", "/usr/bin/env"]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        code, out, err = self._agent.run([*limit, *argv], data, ENVIRONMENT, timeout + 30)
        done = subprocess.CompletedProcess(
            argv, code, out.decode(errors="replace"), err.decode(errors="replace")
        )
        if check and code:
            raise MachineError(f"{command!r} ended with {code}:\n{done.stdout}{done.stderr}")
        return done

    def wait_for(self, command: str, timeout: float = 20.0) -> None:
        """Wait until a shell command succeeds in the guest.

        Tried 20 times a second: what is waited for has no event that all of them share.
        """
        done = self.run(f"until {command}; do sleep 0.05; done", timeout=timeout, check=False)
        if done.returncode:
            raise MachineTimeoutError(f"{command!r} did not come true in {timeout:.0f} s")

    def write(self, path: str, text: str) -> None:
        """Write a file in the guest, and make its folder."""
        quoted = shlex.quote(path)
        self.run(f"mkdir -p $(dirname {quoted}) && cat > {quoted}", stdin=text)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file or a folder's contents to `target` in the guest, owned by root."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            name = "." if source.is_dir() else os.path.basename(target)
            tar.add(source, arcname=name, filter=_as_root)
        folder = shlex.quote(target if source.is_dir() else os.path.dirname(target))
        self.run(f"mkdir -p {folder} && tar -x -C {folder}", stdin=archive.getvalue(), timeout=120)

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's entries that match, such as `_SYSTEMD_UNIT=gatewayd.service`."""
        self.run(["journalctl", "--sync"])
        lines = self.run(["journalctl", "--output=json", *matches]).stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    # --- hardware --------------------------------------------------------------------------------

    def address(self, port: int) -> tuple[str, int]:
        """Where a TCP port of the guest is reached."""
        return "127.0.0.1", self._forwards[port]

    def send_break(self, uart: str) -> None:
        """Let the receiver of a UART see a break; `uart` is the name of its wire."""
        self._qmp("chardev-send-break", id=uart)

    def plug(self, name: str, device: UsbDevice, *, socket_number: int) -> None:
        """Plug a USB device in, into socket 1 to 8 of the guest's only hub."""
        path = str(self._folder / f"{name}.sock")
        device.listen(path)
        address = {"type": "unix", "data": {"path": path}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        self._qmp("chardev-add", id=f"chardev-{name}", backend=backend)
        self._qmp(
            "device_add",
            driver="usb-redir",
            id=name,
            chardev=f"chardev-{name}",
            bus="usb.0",
            port=str(socket_number),
        )

    def unplug(self, name: str) -> None:
        """Pull a USB device out."""
        self._qmp("device_del", id=name)
        self._qmp.wait("DEVICE_DELETED", 20, device=name)


def _overlay(path: Path, base: Path, form: str) -> None:
    options = ["-q", "-f", "qcow2", "-F", form, "-b", str(base.resolve())]
    subprocess.run(["qemu-img", "create", *options, str(path)], check=True)


def _kvm_usable() -> bool:
    """Whether there is KVM with hardware behind it: without, it is slower than plain emulation."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and ("vmx" in flags or "svm" in flags)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return None if "__pycache__" in entry.name else entry
