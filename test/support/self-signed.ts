/**
 * A certificate for 127.0.0.1 that nobody vouches for, and its key. Made for these tests and used for nothing else:
 *   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=127.0.0.1 \
 *     -addext subjectAltName=IP:127.0.0.1
 */
export function selfSigned(): { key: string; cert: string } {
  return { key: KEY, cert: CERTIFICATE }
}

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnlKm5669acpL/SSQ
P5+Lfzifh4CTpmWIffil2iPvkcShRANCAAT028qpfEeoMRrBjpjYIdUk9zsBJCkG
T11rASVlrZ/oPyh/0z6fmtRf4aqqoImpEHPiNNswgiE2X8khtVysEdkB
-----END PRIVATE KEY-----
`

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUDHPlu3lXyw7CrqqeWWjE7LDVVqgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyODExMzUzNVoYDzIxMjYxMTA0
MTEzNTM1WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT028qpfEeoMRrBjpjYIdUk9zsBJCkGT11rASVlrZ/oPyh/0z6fmtRf
4aqqoImpEHPiNNswgiE2X8khtVysEdkBo2QwYjAdBgNVHQ4EFgQUt86rGlqW6qaA
Pv8AltZhBL/YzAwwHwYDVR0jBBgwFoAUt86rGlqW6qaAPv8AltZhBL/YzAwwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IEmtP9Xl/ArUa5H5oGyYmfd9zx40MpnvFQWCUFYQRpIoAiA7yy7QcXKxSIdpOzcI
k/SdOT1hJb29WX2fivxJFY0KPw==
-----END CERTIFICATE-----
`
