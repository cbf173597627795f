#!/bin/sh
# ---
# summary: What the hardware says of itself (RAID arrays, disks' health, kernel's disk errors, temperatures, memory errors)
# kind: diagnose
# timeout: 3m
# idempotent: true
# user: root
# ---
# Reads only; starts no test of a disk and wakes none that sleeps. Uses smartctl (package smartmontools) and mdadm where they are, and
# says where they are not. A virtual machine often has nothing of all this: then it fails and says whom to ask. Artifacts: mdstat.txt,
# smart.txt, kernel.txt.
set -u
export LC_ALL=C

here=$(uname -n)

keep() {	# stdin becomes the artifact $1
	if [ -n "${RUNBOOK_ARTIFACTS:-}" ]; then cat >"$RUNBOOK_ARTIFACTS/$1"; else cat >/dev/null; fi
}
plain() {	# a disk's model may hold what moves a terminal's cursor
	tr '\001-\010\013-\037\177' '?'
}
have() {
	command -v "$1" >/dev/null 2>&1
}

# Arrays: name and line of members of those that lack one ("[UU_]") or do not run.
arrays=$(grep -cE '^md[^ ]* :' /proc/mdstat 2>/dev/null)
degraded=$(awk '/^md[^ ]* :/ { name = $1; if ($3 == "inactive") print name, "is inactive" }
	/\[[U_]*_[U_]*\]/ { print name, $NF, "lacks a disk" }
	/(recovery|resync|check|reshape) *=/ { print name, $0 }' /proc/mdstat 2>/dev/null)
failed=$(awk '/^md[^ ]* :/ { for (i = 5; i <= NF; i++) if ($i ~ /\(F\)/) print $1, "has a failed disk:", $i }' /proc/mdstat 2>/dev/null)

kernel=$({ dmesg 2>/dev/null || journalctl -q -k --no-pager -n 20000 2>/dev/null; } | tail -n 20000)
errors=$(printf '%s\n' "$kernel" | grep -aE 'I/O error|Medium Error|critical (medium|target) error|EXT4-fs error|XFS .*(error|shutdown|corruption)|BTRFS.*(error|corrupt)|Remounting filesystem read-only|ata[0-9.]+: (failed command|exception)|nvme.*(timeout|reset)|Machine check|Hardware Error|temperature above threshold' | tail -n 20)

# name, degrees, degrees at which it is critical
temperatures=$(for input in /sys/class/hwmon/hwmon*/temp*_input; do
		[ -r "$input" ] || continue
		value=$(cat "$input" 2>/dev/null) || continue
		label=$(cat "${input%_input}_label" 2>/dev/null || basename "${input%_input}")
		critical=$(cat "${input%_input}_crit" 2>/dev/null)
		case $value in ''|*[!0-9-]*) continue ;; esac
		case $critical in *[!0-9-]*) critical= ;; esac
		printf '%s\t%s\t%s\n' "$(cat "${input%/*}/name" 2>/dev/null) $label" "$((value / 1000))" "${critical:+$((critical / 1000))}"
	done | sort -t '	' -k 2 -rn)
hot=$(printf '%s\n' "$temperatures" | awk -F '\t' 'NF && ($2 >= 85 || ($3 > 0 && $2 >= $3 - 5)) { printf "%s is at %s degrees\n", $1, $2 }')

memory=$(for count in /sys/devices/system/edac/mc/mc*/ce_count /sys/devices/system/edac/mc/mc*/ue_count; do
		[ -r "$count" ] || continue
		number=$(cat "$count"); controller=${count%/*}; controller=${controller##*/}
		case $count in *ce_count) kind=corrected ;; *) kind=UNCORRECTED ;; esac
		printf '%s\t%s\t%s\n' "$controller" "$kind" "$number"
	done)
memory_errors=$(printf '%s\n' "$memory" | awk -F '\t' '$3 > 0 { printf "memory controller %s has had %d %s errors since boot\n", $1, $3, $2 }')

disks=; smart=
if have smartctl; then
	disks=$(timeout 20 smartctl --scan 2>/dev/null | awk '{ print $1 }' | head -n 32)
	smart=$(for disk in $disks; do
		printf '%s: ' "$disk"
		# -n standby: a disk that sleeps is left asleep.
		timeout 20 smartctl -n standby -H -A -- "$disk" 2>/dev/null |
			awk '/overall-health|SMART Health Status/ { sub(/.*: */, ""); health = $0 }
				$2 ~ /^(Reallocated_Sector_Ct|Current_Pending_Sector|Offline_Uncorrectable|UDMA_CRC_Error_Count)$/ && $10 > 0 { more = more "; " $2 " " $10 }
				/^(Media and Data Integrity Errors|Percentage Used|Critical Warning|Available Spare):/ { sub(/: +/, " "); more = more "; " $0 }
				/STANDBY|SLEEP/ { health = "asleep, left so" }
				END { print (health == "" ? "says nothing" : health) more }'
	done)
fi
bad_disks=$(printf '%s\n' "$smart" | grep -E ': (FAILED|FAILING)|(Pending_Sector|Offline_Uncorrectable|Integrity Errors) [1-9]')
findings=$(printf '%s\n' "$failed" "$degraded" "$bad_disks" "$hot" "$memory_errors" | grep .
	[ -z "$errors" ] || echo 'the kernel reports errors of disks or hardware, see below')

if [ "${arrays:-0}" -eq 0 ] && [ -z "$kernel" ] && [ -z "$temperatures" ] && [ -z "$memory" ] && [ -z "$disks" ]; then
	echo "cannot look at the hardware of $here: no RAID array, no sensor, no memory controller and no kernel log can be seen from here"
	have smartctl || echo "smartctl is missing: install smartmontools"
	echo "if this is a virtual machine, ask the one that it runs on; if it is a container, run a worker on its host"
	exit 1
fi
{
	if [ -n "$findings" ]; then
		printf 'hardware of %s: look at\n' "$here"
		printf '%s\n' "$findings" | sed 's/^/  ! /'
	else
		printf 'hardware of %s: nothing stands out in what can be seen\n' "$here"
	fi
	printf '\nRAID arrays: %s\n' "${arrays:-0}"
	if [ "${arrays:-0}" -gt 0 ]; then
		sed -n '2,$p' /proc/mdstat
		if have mdadm; then
			awk '/^md[^ ]* :/ { print $1 }' /proc/mdstat | while read -r array; do
				timeout 10 mdadm --detail -- "/dev/$array" 2>&1 | grep -E 'State :|Devices :|faulty|removed|spare|Rebuild' | sed "s/^ */  $array: /"
			done
		else
			echo '  mdadm is missing: its details are not shown; install mdadm'
		fi
	fi
	printf '\nDisks\n'
	if ! have smartctl; then
		echo '  not asked: smartctl is missing; install smartmontools'
	elif [ -z "$disks" ]; then
		echo '  smartctl finds none (virtual disks have no SMART)'
	else
		printf '%s\n' "$smart" | sed 's/^/  /'
	fi
	printf '\nKernel on disks and hardware\n'
	if [ -n "$errors" ]; then
		printf '%s\n' "$errors"
	elif [ -n "$kernel" ]; then
		echo '  no errors in its log'
	else
		echo "  its log cannot be read by user $(id -un)"
	fi
	if [ -n "$temperatures" ]; then
		printf '\nTemperatures (critical at)\n'
		printf '%s\n' "$temperatures" | head -n 12 | awk -F '\t' '{ printf "  %s: %s%s\n", $1, $2, ($3 == "" ? "" : " (" $3 ")") }'
	fi
	if [ -n "$memory" ]; then
		printf '\nMemory errors since boot\n'
		printf '%s\n' "$memory" | awk -F '\t' '{ printf "  %s: %s %s\n", $1, $3, $2 }'
	fi
} | plain
[ ! -r /proc/mdstat ] || keep mdstat.txt </proc/mdstat
for disk in $disks; do timeout 20 smartctl -n standby -x -- "$disk" 2>&1 | grep -viE '^(serial number|lu wwn)'; done | keep smart.txt
printf '%s\n' "$errors" | keep kernel.txt
exit 0
