# Mutants that are built all at once into a copy of the tree, and switched on one at a time by the variable MUTANT. Sourced by
# the scripts beside it, which run at the top of the tree.

# copy_tree NAME: an empty folder $output in the target directory, and a copy of the tree in $tree.
copy_tree() {
    output=$(realpath -m "${CARGO_TARGET_DIR:-target}/$1")
    tree=$output/tree
    rm -rf "$tree"
    mkdir -p "$tree"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree"
}

names=()
# mutant NAME FILE OLD NEW: replaces OLD, which is there once, in a file of $tree/$sources. In NEW, `broken` is true while
# this mutant is switched on.
mutant() {
    names+=("$1")
    OLD=$3 NEW=${4//broken/crate::mutant(${#names[@]})} perl -0777 -i -pe '
        BEGIN { $old = $ENV{OLD}; $new = $ENV{NEW} }
        $count = () = /\Q$old\E/g; die "$count times: $old\n" if $count != 1; s/\Q$old\E/$new/' \
        "$tree/$sources/$2"
}

# try_mutants: calls `try_mutant NUMBER REPORT` for each, and without any first. It prints what has noticed the mutant, or
# nothing. The status is 1 if one survives.
try_mutants() {
    local number name report found survived=0
    names=('' "${names[@]}")
    for number in "${!names[@]}"; do
        name=${names[number]}
        report=$output/$number.txt
        found=$(MUTANT=$number try_mutant "$number" "$report")
        if ((number == 0)); then
            [[ -z $found ]] || { echo "without a mutant: $found"; return 1; }
        elif [[ -n $found ]]; then
            echo "$name: ${found:0:160}"
        else
            echo "SURVIVES: $name; see $report"
            survived=1
        fi
    done
    return $survived
}
