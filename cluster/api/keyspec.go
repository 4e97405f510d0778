package api

// Key specs of the API. Only symmetric keys of 256 bits are served so far.
const specAES256 = "Aliyun_AES_256"

// keySpecs are the key specs of the API, served or not, in the order of its documents.
var keySpecs = []string{specAES256, "Aliyun_SM4", "RSA_2048", "RSA_3072", "EC_P256", "EC_P256K", "EC_SM2"}

// Key usages, origins and protection levels of the API.
const (
	usageEncrypt   = "ENCRYPT/DECRYPT"
	usageSign      = "SIGN/VERIFY"
	originOwn      = "Aliyun_KMS"
	originExternal = "EXTERNAL"
	levelSoftware  = "SOFTWARE"
	levelHSM       = "HSM"
)
