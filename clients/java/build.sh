#!/usr/bin/env bash
# The steps of the Makefile: build.sh CACHE STEP, in this folder. once.sh says when they are needed.
set -euo pipefail

cache=$1 step=$2
proto=$(cd ../../proto && pwd)

for program in java mvn; do
    if ! command -v "$program" >/dev/null; then
        echo "clients/java needs Java 17 or newer and Maven 3.8 or newer; $program is missing" >&2
        exit 1
    fi
done

# Each step has a folder of its own, and begins with an empty one.
maven() {
    local pom=$1
    shift
    mvn --batch-mode -Dstyle.color=never --no-transfer-progress -Dorg.slf4j.simpleLogger.defaultLogLevel=warn ${OFFLINE:-} -f "$pom" "-Dmaven.repo.local=$cache/repository" \
        "-Dbuild.folder=$cache/build/$step" "-Dproto.folder=$proto" "$@" </dev/null
}

rm -rf "$cache/build/$step"

launcher() {
    local name=$1 flags=$2 class=$3 more=${4:-}
    # With the path spelled out, so that it runs from any directory; exec, so that signals reach the program.
    cat >"$cache/bin/$name.new" <<END
#!/bin/sh
exec java $flags -cp "$classpath$more" $class "\$@"
END
    chmod +x "$cache/bin/$name.new"
    mv "$cache/bin/$name.new" "$cache/bin/$name"
}

case $step in
generate)
    maven pom.xml generate-sources
    ;;
check)
    maven pom.xml spotless:check
    maven pom.xml -Pcheck compile
    ;;
format)
    maven pom.xml spotless:apply
    ;;
test)
    maven pom.xml test
    awk -F '[:,]' '/^Tests run/ { run += $2; failed += $4 + $6; skipped += $8 }
        END { printf "%d passed, %d failed, %d skipped\n", run - failed - skipped, failed, skipped; exit run == 0 }' \
        "$cache/build/$step"/surefire-reports/*.txt
    ;;
package)
    maven pom.xml install -Dmaven.test.skip=true
    rm -rf "$cache/package"
    mkdir "$cache/package"
    cp "$cache/build/package"/agibridge-client-*.jar "$cache/package/"
    cp pom.xml "$cache/package/"
    ;;
programs)
    maven programs/pom.xml package
    rm -rf "$cache/programs"
    mkdir -p "$cache/programs/direct" "$cache/programs/traced" "$cache/bin"
    cp "$cache/build/programs/programs.jar" "$cache/build/programs/lib"/*.jar "$cache/programs/"
    # Only the bench's comparison needs these.
    mv "$cache/programs"/{asterisk-java,slf4j-api,reflections,javassist}-*.jar "$cache/programs/direct/"
    # And only the traced program these: a library that finds OpenTelemetry uses it.
    mv "$cache/programs"/opentelemetry-*.jar "$cache/programs/traced/"
    classpath=$(printf '%s:' "$cache/programs"/*.jar)
    classpath=${classpath%:}
    # They live for one call or a few: a quick start is worth more than the last bit of speed.
    quick="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    archive=$cache/programs/classes.jsa
    java $quick "-XX:ArchiveClassesAtExit=$archive" -Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+load=off \
        -cp "$classpath" train.Main >"$cache/programs/train.log" 2>&1 </dev/null
    quick="$quick -XX:SharedArchiveFile=$archive -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off"
    launcher conformance "$quick" conformance.Main
    launcher hello "$quick" samples.Hello
    launcher subtraction "$quick" samples.Subtraction
    launcher recorder "$quick" samples.Recorder
    launcher router "$quick" samples.Router
    launcher manager "$quick" manager.Main
    launcher manager-ping "$quick" samples.ManagerPing
    launcher manager-events "$quick" samples.ManagerEvents
    launcher click-to-call "$quick" samples.ClickToCall
    launcher traced "$quick" traced.Main ":$cache/programs/traced/*"
    launcher bench-service "" bench.Service
    launcher bench-direct "" bench.Direct ":$cache/programs/direct/*"
    ;;
*)
    echo "build.sh: no step $step" >&2
    exit 1
    ;;
esac
