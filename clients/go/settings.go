// The options of Serve, Work and NewManager.

package agibridge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

const (
	defaultCleanup  = 10 * time.Second
	defaultDrain    = time.Hour
	defaultMaxCalls = 100 // of a worker
	messageMax      = 4 << 20
	window          = 1 << 20
)

// ServerOption is an option of Serve.
type ServerOption interface{ forServer(*settings) }

// WorkerOption is an option of Work.
type WorkerOption interface{ forWorker(*settings) }

// ServiceOption is an option of both.
type ServiceOption interface {
	ServerOption
	WorkerOption
}

// ManagerOption is an option of NewManager.
type ManagerOption interface{ forManager(*settings) }

// ConnectionOption is an option of all three.
type ConnectionOption interface {
	ServiceOption
	ManagerOption
}

type settings struct {
	token        string
	tokenFunc    func() (string, error) // instead
	tls          *tls.Config
	maxCalls     int // 0: no limit
	drain        time.Duration
	cleanup      time.Duration
	log          *slog.Logger
	noSignals    bool
	noReflection bool
	workerID     string
	labels       map[string]string
	onRegistered func(bridgeID, address string)
}

type setting func(*settings)

func (o setting) forServer(it *settings)  { o(it) }
func (o setting) forWorker(it *settings)  { o(it) }
func (o setting) forManager(it *settings) { o(it) }

// dialOptions are those of every connection to a bridge.
func (s *settings) dialOptions() []grpc.DialOption {
	shown := insecure.NewCredentials()
	if s.tls != nil {
		config := s.tls.Clone()
		if config.MinVersion == 0 {
			config.MinVersion = tls.VersionTLS12
		}
		shown = credentials.NewTLS(config)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(shown),
		grpc.WithUserAgent("agi-bridge-go/" + Version),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageMax), grpc.MaxCallSendMsgSize(messageMax)),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
	}
}

// showing puts the token, where there is one, into what a request to a bridge carries.
func showing(ctx context.Context, token string, pairs ...string) context.Context {
	if token != "" {
		pairs = append(pairs, "authorization", "Bearer "+token)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func newSettings(maxCalls int) *settings {
	return &settings{maxCalls: maxCalls, drain: defaultDrain, cleanup: defaultCleanup, log: slog.Default()}
}

func (s *settings) driver(handler Handler) *driver {
	return &driver{handler: handler, cleanup: s.cleanup, stuck: stuckAfter, log: s.log}
}

// Token is the secret between bridge and service, as `authorization: Bearer …`: a server refuses calls without it, a worker
// and a Manager show it. None unless set. For a worker's that expires see TokenFile and TokenFunc.
func Token(token string) ConnectionOption { return setting(func(it *settings) { it.token = token }) }

// TLS encrypts. A server needs Certificates, and asks for the bridge's certificate with ClientCAs and ClientAuth; a worker
// and a Manager trust RootCAs, and show Certificates. Plain text unless set.
func TLS(config *tls.Config) ConnectionOption { return setting(func(it *settings) { it.tls = config }) }

// MaxCalls is how many calls are taken at once; the bridge asks another service for one more. A server has no limit unless
// set, a worker 100, over all bridges. 0 is no limit.
func MaxCalls(n int) ServiceOption {
	return setting(func(it *settings) { it.maxCalls = max(0, n) })
}

// DrainTimeout is how long running calls may go on after the context's end or a signal; 1 h unless set. What is left then is
// released to other instances.
func DrainTimeout(d time.Duration) ServiceOption {
	return setting(func(it *settings) { it.drain = d })
}

// CleanupTimeout is how long a handler may go on when its session has ended, or its stream was lost, before its context is
// cancelled; 10 s unless set. After a hangup the bridge's grace counts instead.
func CleanupTimeout(d time.Duration) ServiceOption {
	return setting(func(it *settings) { it.cleanup = d })
}

// Logger is where this package logs; slog's default unless set. Digits and numbers of callers are never logged.
func Logger(log *slog.Logger) ConnectionOption {
	return setting(func(it *settings) {
		if log != nil {
			it.log = log
		}
	})
}

// WithoutSignals leaves SIGTERM and SIGINT to the program: it ends the context to drain.
func WithoutSignals() ServiceOption { return setting(func(it *settings) { it.noSignals = true }) }

// WithoutReflection does not tell strangers the contract.
func WithoutReflection() ServerOption { return setting(func(it *settings) { it.noReflection = true }) }

// WorkerID names the worker, at most 256 bytes, as its pod is named: no two that run may have the same. The machine's name
// with a random part unless set.
func WorkerID(id string) WorkerOption { return setting(func(it *settings) { it.workerID = id }) }

// Labels describe the worker to people: at most 64, of at most 256 bytes.
func Labels(labels map[string]string) WorkerOption {
	return setting(func(it *settings) { it.labels = maps.Clone(labels) })
}

// OnRegistered has told called whenever a bridge has registered the worker, with the bridge's name and address. It must not
// block.
func OnRegistered(told func(bridgeID, address string)) WorkerOption {
	return setting(func(it *settings) { it.onRegistered = told })
}
